// When a partial file may be continued, and when not.
#include "daemon/download/resume_plan.hpp"

#include <catch2/catch.hpp>

using namespace mcuota::download;

TEST_CASE("a file is continued only with a stored strong validator and all its bytes", "[download]") {
    struct Row {
        const char* name;
        Mark mark;
        std::uint64_t on_disk, announced, offset;
        bool complete;
    };
    const std::string etag = "\"a-1\"";
    const Row row = GENERATE_COPY(Row{"nothing there", {}, 0, 1000, 0, false},
                                  Row{"half", {500, etag, ""}, 500, 1000, 500, false},
                                  Row{"more on disk than marked", {500, etag, ""}, 700, 1000, 500, false},
                                  Row{"less on disk than marked", {500, etag, ""}, 499, 1000, 0, false},
                                  Row{"file vanished", {500, etag, ""}, 0, 1000, 0, false},
                                  Row{"no validator", {500, "", ""}, 500, 1000, 0, false},
                                  Row{"weak validator", {500, "W/\"a\"", ""}, 500, 1000, 0, false},
                                  Row{"everything there", {1000, etag, ""}, 1000, 1000, 1000, true},
                                  Row{"more than announced", {1001, etag, ""}, 1001, 1000, 0, false},
                                  Row{"length unknown", {500, etag, ""}, 500, 0, 500, false},
                                  Row{"file without a mark", {0, etag, ""}, 500, 1000, 0, false});
    INFO(row.name);
    const StartPlan plan = plan_start(row.mark, row.on_disk, row.announced);
    CHECK(plan.offset == row.offset);
    CHECK(plan.complete == row.complete);
    CHECK(plan.if_range == (row.offset > 0 ? etag : ""));
}

TEST_CASE("only quoted, non-weak validators are strong", "[download]") {
    CHECK(is_strong_etag("\"5f-3e8\""));
    const char* weak = GENERATE("W/\"5f-3e8\"", "5f-3e8", "\"\"", "", "\"", "\"a\"b\"", "\"a\r\nX: y\"");
    INFO(weak);
    CHECK_FALSE(is_strong_etag(weak));
}

TEST_CASE("content ranges are read strictly", "[download]") {
    const auto range = parse_content_range("bytes 10-19/20");
    REQUIRE(range);
    CHECK(range->first == 10);
    CHECK(range->last == 19);
    CHECK(range->total == 20);
    CHECK(parse_content_range("Bytes 0-0/1"));
    const char* bad =
        GENERATE("", "bytes", "bytes ", "bytes 10-19/*", "bytes */20", "bytes 10-/20", "bytes -19/20",
                 "bytes 19-10/20", "bytes 10-20/20", "bytes 10-19/20 ", "bytes 10-19/20x", "items 10-19/20",
                 "bytes 99999999999999999999-1/2", "bytes=10-19/20");
    INFO(bad);
    CHECK_FALSE(parse_content_range(bad));
}

TEST_CASE("https is https", "[download]") {
    CHECK(is_https("https://host/p"));
    CHECK(is_https("HTTPS://host/p"));
    const char* bad = GENERATE("http://host/p", "https://", "https:/host", "ftp://host", "file:///etc/passwd",
                               "", "//host/p", " https://host");
    INFO(bad);
    CHECK_FALSE(is_https(bad));
}
