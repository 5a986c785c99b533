// Nothing secret stays in text that is logged or told upstream.
#include "daemon/cloud/redact.hpp"

#include <catch2/catch.hpp>

using mcuota::cloud::redact_urls;

TEST_CASE("queries and passwords of urls are taken out, everything else stays", "[cloud][redact]") {
    struct Row {
        const char *name, *text, *expected;
    };
    const Row row =
        GENERATE(Row{"no url", "plain text, 50 % done?", "plain text, 50 % done?"},
                 Row{"no query", "https://host/path", "https://host/path"},
                 Row{"query", "get https://h/p?Signature=abc&x=1 failed", "get https://h/p?… failed"},
                 Row{"quoted", "\"https://h/p?q\" x", "\"https://h/p?…\" x"},
                 Row{"two urls", "http://a/?1 then https://b/?2", "http://a/?… then https://b/?…"},
                 Row{"user and password", "https://me:secret@h/p", "https://…@h/p"},
                 Row{"password and query", "https://me:secret@h/p?q", "https://…@h/p?…"},
                 Row{"question mark in front of the path", "https://h?q=1", "https://h?…"},
                 Row{"an at sign in the query", "https://h/p?mail=a@b", "https://h/p?…"});
    INFO(row.name);
    CHECK(redact_urls(row.text) == row.expected);
}
