// Every answer a server may give, and what is made of it.
#include "daemon/download/fetch_fsm.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace mcuota;
using namespace mcuota::download;

namespace {

const StartPlan kFresh{};
const StartPlan kResumed{400, "\"e\"", false};
constexpr std::uint64_t kMax = 10'000;

Verdict hear(Answer& answer, const std::vector<std::string>& lines) {
    for (const std::string& line : lines)
        answer.on_header(line + "\r\n");
    return answer.on_header_end();
}

}  // namespace

TEST_CASE("headers decide what becomes of the body", "[download]") {
    struct Row {
        const char* name;
        StartPlan plan;
        std::uint64_t announced;
        std::vector<std::string> lines;
        Verdict verdict;
        ErrorCode code;  // when refused
    };
    const ErrorCode none = ErrorCode::internal;
    const Row row = GENERATE_COPY(
        Row{"whole file",
            kFresh,
            1000,
            {"HTTP/1.1 200 OK", "Content-Length: 1000"},
            Verdict::from_zero,
            none},
        Row{"HTTP/2 status line",
            kFresh,
            1000,
            {"HTTP/2 200", "content-length: 1000"},
            Verdict::from_zero,
            none},
        Row{"another length",
            kFresh,
            1000,
            {"HTTP/1.1 200 OK", "Content-Length: 1001"},
            Verdict::refuse,
            ErrorCode::download_size_mismatch},
        Row{"no length, announced", kFresh, 1000, {"HTTP/1.1 200 OK"}, Verdict::from_zero, none},
        Row{"chunked",
            kFresh,
            1000,
            {"HTTP/1.1 200 OK", "Transfer-Encoding: chunked"},
            Verdict::from_zero,
            none},
        Row{"length over the cap",
            kFresh,
            0,
            {"HTTP/1.1 200 OK", "Content-Length: 10001"},
            Verdict::refuse,
            ErrorCode::download_size_mismatch},
        Row{"nobody knows the length",
            kFresh,
            0,
            {"HTTP/1.1 200 OK"},
            Verdict::refuse,
            ErrorCode::download_server_error},
        Row{"compressed",
            kFresh,
            1000,
            {"HTTP/1.1 200 OK", "Content-Encoding: gzip"},
            Verdict::refuse,
            ErrorCode::download_server_error},
        Row{"part nobody asked for",
            kFresh,
            1000,
            {"HTTP/1.1 206 P", "Content-Range: bytes 0-999/1000"},
            Verdict::refuse,
            ErrorCode::download_server_error},
        Row{"the rest",
            kResumed,
            1000,
            {"HTTP/1.1 206 P", "Content-Range: bytes 400-999/1000", "Content-Length: 600", "ETag: \"e\""},
            Verdict::append,
            none},
        Row{"the rest, no ETag repeated",
            kResumed,
            1000,
            {"HTTP/1.1 206 P", "Content-Range: bytes 400-999/1000"},
            Verdict::append,
            none},
        Row{"range ignored",
            kResumed,
            1000,
            {"HTTP/1.1 200 OK", "Content-Length: 1000"},
            Verdict::from_zero,
            none},
        Row{"200 of the length of the offset",
            kResumed,
            1000,
            {"HTTP/1.1 200 OK", "Content-Length: 400"},
            Verdict::refuse,
            ErrorCode::download_size_mismatch},
        Row{"206 starts elsewhere",
            kResumed,
            1000,
            {"HTTP/1.1 206 P", "Content-Range: bytes 401-999/1000"},
            Verdict::again_plain,
            none},
        Row{"206 ends early",
            kResumed,
            1000,
            {"HTTP/1.1 206 P", "Content-Range: bytes 400-998/1000"},
            Verdict::again_plain,
            none},
        Row{"206 of another total",
            kResumed,
            1000,
            {"HTTP/1.1 206 P", "Content-Range: bytes 400-1999/2000"},
            Verdict::again_plain,
            none},
        Row{"206 without range",
            kResumed,
            1000,
            {"HTTP/1.1 206 P", "Content-Length: 600"},
            Verdict::again_plain,
            none},
        Row{"206 whose length contradicts",
            kResumed,
            1000,
            {"HTTP/1.1 206 P", "Content-Range: bytes 400-999/1000", "Content-Length: 599"},
            Verdict::again_plain,
            none},
        Row{"206 of another version",
            kResumed,
            1000,
            {"HTTP/1.1 206 P", "Content-Range: bytes 400-999/1000", "ETag: \"f\""},
            Verdict::again_plain,
            none},
        Row{"206 over the cap",
            kResumed,
            0,
            {"HTTP/1.1 206 P", "Content-Range: bytes 400-99999/100000"},
            Verdict::again_plain,
            none},
        Row{"416 while resuming",
            kResumed,
            1000,
            {"HTTP/1.1 416 R", "Content-Range: bytes */1000"},
            Verdict::again_plain,
            none},
        Row{"416 without a range",
            kFresh,
            1000,
            {"HTTP/1.1 416 R"},
            Verdict::refuse,
            ErrorCode::download_server_error},
        Row{"401", kResumed, 1000, {"HTTP/1.1 401 U"}, Verdict::refuse, ErrorCode::url_expired},
        Row{"403",
            kResumed,
            1000,
            {"HTTP/1.1 403 F", "Content-Length: 400"},
            Verdict::refuse,
            ErrorCode::url_expired},
        Row{"404", kFresh, 1000, {"HTTP/1.1 404 N"}, Verdict::refuse, ErrorCode::url_gone},
        Row{"410", kFresh, 1000, {"HTTP/1.1 410 G"}, Verdict::refuse, ErrorCode::url_gone},
        Row{"500", kFresh, 1000, {"HTTP/1.1 500 I"}, Verdict::refuse, ErrorCode::download_server_error},
        Row{"503",
            kFresh,
            1000,
            {"HTTP/1.1 503 S", "Retry-After: 1"},
            Verdict::refuse,
            ErrorCode::download_server_error},
        Row{"429", kFresh, 1000, {"HTTP/1.1 429 T"}, Verdict::refuse, ErrorCode::download_server_error},
        Row{"redirect", kFresh, 1000, {"HTTP/1.1 302 F", "Location: https://h/q"}, Verdict::ignore, none},
        Row{"304", kResumed, 1000, {"HTTP/1.1 304 N"}, Verdict::refuse, ErrorCode::download_server_error},
        Row{"interim answer", kFresh, 1000, {"HTTP/1.1 100 Continue"}, Verdict::ignore, none},
        Row{"broken status line",
            kFresh,
            1000,
            {"HTTP/1.1"},
            Verdict::refuse,
            ErrorCode::download_server_error});
    INFO(row.name);
    Answer answer(row.plan, row.announced, kMax, false);
    CHECK(hear(answer, row.lines) == row.verdict);
    if (row.verdict == Verdict::refuse) {
        CHECK(answer.error().code == row.code);
        CHECK_FALSE(answer.error().what.empty());
    }
}

TEST_CASE("nothing of a redirect's header is believed for the file", "[download]") {
    Answer answer(kFresh, 1000, kMax, true);
    CHECK(hear(answer, {"HTTP/1.1 302 F", "Location: https://h/q", "ETag: \"old\"", "Content-Length: 7",
                        "Content-Encoding: gzip"}) == Verdict::ignore);
    CHECK(hear(answer, {"HTTP/1.1 200 OK"}) == Verdict::from_zero);
    CHECK(answer.strong_etag().empty());
    CHECK(answer.total() == 1000);
}

TEST_CASE("a weak validator is not handed on for resuming", "[download]") {
    Answer answer(kFresh, 0, kMax, false);
    CHECK(hear(answer, {"HTTP/1.1 200 OK", "etag:  W/\"x\" ", "content-length: 5"}) == Verdict::from_zero);
    CHECK(answer.strong_etag().empty());
    CHECK(hear(answer, {"HTTP/1.1 200 OK", "etag:  \"x\" ", "content-length: 5"}) == Verdict::from_zero);
    CHECK(answer.strong_etag() == "\"x\"");
    CHECK(answer.total() == 5);
}

TEST_CASE("never more bytes than announced, nor than allowed", "[download]") {
    Answer announced(kFresh, 1000, kMax, true);
    CHECK(announced.may_take(0, 1000));
    CHECK(announced.may_take(999, 1));
    CHECK_FALSE(announced.may_take(1000, 1));
    CHECK(announced.error().code == ErrorCode::download_size_mismatch);
    CHECK_FALSE(announced.may_take(1, ~std::uint64_t{0}));
    Answer unknown(kFresh, 0, kMax, true);
    CHECK(unknown.may_take(9'999, 1));
    CHECK_FALSE(unknown.may_take(10'000, 1));
}

TEST_CASE("an orderly end proves nothing without the bytes", "[download]") {
    Answer answer(kFresh, 1000, kMax, true);
    CHECK(hear(answer, {"HTTP/1.1 200 OK"}) == Verdict::from_zero);
    CHECK_FALSE(answer.on_end(Ending::orderly, "", 1000));
    struct Row {
        Ending ending;
        ErrorCode code;
    };
    const Row row =
        GENERATE(Row{Ending::orderly, ErrorCode::download_interrupted},
                 Row{Ending::broken, ErrorCode::download_interrupted},
                 Row{Ending::stalled, ErrorCode::download_interrupted},
                 Row{Ending::not_https, ErrorCode::download_interrupted},
                 Row{Ending::tls, ErrorCode::download_tls}, Row{Ending::bad_url, ErrorCode::url_malformed},
                 Row{Ending::redirects, ErrorCode::download_server_error});
    const auto error = answer.on_end(row.ending, "words", 999);
    REQUIRE(error);
    CHECK(error->code == row.code);
}

TEST_CASE("a redirect away from https is told from an answer that is not HTTP", "[download]") {
    Answer answer(kFresh, 1000, kMax, true);
    CHECK(hear(answer, {"HTTP/1.1 302 F", "Location: http://h/q"}) == Verdict::ignore);
    const auto error = answer.on_end(Ending::not_https, "words", 0);
    REQUIRE(error);
    CHECK(error->code == ErrorCode::url_not_https);
    const auto senseless = answer.on_end(Ending::bad_url, "words", 0);
    REQUIRE(senseless);
    CHECK(senseless->code == ErrorCode::download_server_error);
}
