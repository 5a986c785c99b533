// Downloads from a real nginx and from a server that breaks the rules on purpose (tests/rig).
#include "daemon/download/downloader.hpp"

#include <openssl/evp.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "test_servers.hpp"

using namespace mcuota;
using namespace mcuota::download;
using namespace std::chrono_literals;
using test::Servers;
namespace asio = boost::asio;

namespace {

struct Marks final : MarkStore {
    std::mutex mutex;
    std::map<std::int64_t, Mark> marks;
    std::vector<Mark> saved;
    Mark load(std::int64_t job) override {
        const std::lock_guard lock(mutex);
        return marks[job];
    }
    void save(std::int64_t job, const Mark& mark) override {
        const std::lock_guard lock(mutex);
        marks[job] = mark;
        saved.push_back(mark);
    }
};

/// The fault server's body.
std::string pattern(std::size_t size) {
    std::string data(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        data[i] = static_cast<char>((i * 7 + (i >> 8U) * 13 + (i >> 16U)) & 0xFFU);
    return data;
}
std::string hex_digest(const std::string& data, const EVP_MD* method) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_Digest(data.data(), data.size(), digest, &size, method, nullptr);
    std::string hex;
    for (unsigned int i = 0; i < size; ++i) {
        constexpr char kDigits[] = "0123456789abcdef";
        hex += kDigits[digest[i] >> 4U];
        hex += kDigits[digest[i] & 15U];
    }
    return hex;
}

/// One partial file with its mark, and attempts on it.
struct Bench {
    Bench() {
        std::string name = (std::filesystem::temp_directory_path() / "mcuota-dl-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        folder = name;
        options.ca_file = Servers::get().ca();
        options.mark_every_bytes = 4096;
        options.stall_timeout_ms = 10'000;
    }
    ~Bench() {
        pool.join();
        std::filesystem::remove_all(folder);
    }
    Request request(const std::string& url, const std::string& data,
                    cloud::DigestKind kind = cloud::DigestKind::sha256) const {
        Request out;
        out.job_id = 7;
        out.url = url;
        out.partial_file = folder / "part";
        out.size_bytes = data.size();
        out.digest_kind = kind;
        if (kind != cloud::DigestKind::none)
            out.digest_hex = hex_digest(data, kind == cloud::DigestKind::md5 ? EVP_md5() : EVP_sha256());
        return out;
    }
    Request faulty(const std::string& fault, const std::string& data) const {
        return request(Servers::get().fault(fault), data);
    }
    Result<Done> fetch(const Request& wanted, std::optional<std::chrono::milliseconds> cancel_after = {}) {
        asio::io_context loop;
        Downloader downloader(pool, marks, options);
        std::optional<Result<Done>> outcome;
        asio::cancellation_signal cancel;
        asio::steady_timer timer(loop);
        const auto attempt = [&]() -> asio::awaitable<void> {
            outcome = co_await downloader.fetch(wanted, [this](const Progress& now) {
                progress.push_back(now);
                if (on_progress) on_progress();
            });
        };
        asio::co_spawn(loop, attempt,
                       asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr failed) {
                           CHECK_FALSE(failed);
                           timer.cancel();
                       }));
        if (cancel_after) {
            timer.expires_after(*cancel_after);
            timer.async_wait([&](boost::system::error_code too_late) {
                if (too_late) return;
                cancelled_at = std::chrono::steady_clock::now();
                cancel.emit(asio::cancellation_type::terminal);
            });
        }
        loop.run();
        REQUIRE(outcome);
        return *outcome;
    }
    [[nodiscard]] std::string file() const {
        std::ifstream in(folder / "part", std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    [[nodiscard]] std::uint64_t marked() { return marks.marks[7].offset; }
    /// A partial file of `data`'s first `bytes`, as an earlier attempt leaves it.
    void have(const std::string& data, std::size_t bytes, const std::string& etag = "\"fault-1\"") {
        std::ofstream(folder / "part", std::ios::binary) << data.substr(0, bytes);
        marks.marks[7] = {bytes, etag, ""};
    }

    std::filesystem::path folder;
    Marks marks;
    Options options;
    asio::thread_pool pool{2};
    std::vector<Progress> progress;
    std::function<void()> on_progress;
    std::chrono::steady_clock::time_point cancelled_at;
};

void check_error(const Result<Done>& result, ErrorCode code) {
    REQUIRE_FALSE(result);
    INFO(result.error().line());
    CHECK(std::string(to_string(result.error().code)) == std::string(to_string(code)));
    CHECK(result.error().line().find("secret") == std::string::npos);
}

}  // namespace

TEST_CASE("a file is fetched, proven and hashed", "[download]") {
    Bench bench;
    const std::string data = pattern(50'000);
    const auto kind = GENERATE(cloud::DigestKind::sha256, cloud::DigestKind::md5, cloud::DigestKind::none);
    const auto done = bench.fetch(bench.request(Servers::get().fault("ok?size=50000"), data, kind));
    REQUIRE(done);
    CHECK(done->size_bytes == data.size());
    CHECK(done->sha256_hex == hex_digest(data, EVP_sha256()));
    CHECK(done->resumed_from == 0);
    CHECK(bench.file() == data);
    CHECK(bench.marked() == data.size());
    REQUIRE_FALSE(bench.progress.empty());
    CHECK(bench.progress.back().bytes == data.size());
    CHECK(bench.progress.back().bytes_total == data.size());
    const auto headers = Servers::get().requests().back().as_object();
    CHECK(headers.at("accept-encoding") == "identity");
    CHECK_FALSE(headers.contains("range"));
}

TEST_CASE("an upper-case digest is the same digest", "[download]") {
    Bench bench;
    Request wanted = bench.faulty("ok?size=3000", pattern(3000));
    for (char& c : wanted.digest_hex)
        c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    CHECK(bench.fetch(wanted));
}

TEST_CASE("the second attempt continues where the first one broke", "[download]") {
    const std::string fault = GENERATE("truncate", "reset");
    INFO(fault);
    Bench bench;
    const std::string data = pattern(50'000);
    check_error(bench.fetch(bench.faulty(fault + "?size=50000&at=30000&token=secret", data)),
                ErrorCode::download_interrupted);
    const std::uint64_t kept = bench.marked();
    CHECK(kept <= 30'000);
    // A reset may overtake the bytes in front of it; a plain end does not.
    if (fault == "truncate") CHECK(kept == 30'000);
    const auto done = bench.fetch(bench.faulty("ok?size=50000", data));
    REQUIRE(done);
    CHECK(done->resumed_from == kept);
    CHECK(bench.file() == data);
    const auto headers = Servers::get().requests().back().as_object();
    REQUIRE(headers.contains("range") == (kept > 0));
    if (kept == 0) return;
    CHECK(headers.at("range") == boost::json::string("bytes=" + std::to_string(kept) + "-"));
    CHECK(headers.at("if-range") == "\"fault-1\"");
}

TEST_CASE("marks only grow while a file grows", "[download]") {
    Bench bench;
    const std::string data = pattern(60'000);
    REQUIRE(bench.fetch(bench.faulty("ok?size=60000", data)));
    std::uint64_t last = 0;
    for (const Mark& mark : bench.marks.saved) {
        CHECK(mark.offset >= last);
        CHECK(mark.offset <= data.size());
        CHECK((mark.offset == 0 || mark.etag == "\"fault-1\""));
        last = mark.offset;
    }
    CHECK(bench.marks.saved.size() > 3);
}

TEST_CASE("answers to a range request that cannot be used lead to a fresh start, never to a spliced file",
          "[download]") {
    const std::string fault =
        GENERATE("badrange?size=50000", "badtotal?size=50000&total=60000", "norange206?size=50000",
                 "ignorerange?size=50000", "ok?size=50000&etag=%22other%22");
    INFO(fault);
    Bench bench;
    const std::string data = pattern(50'000);
    bench.have(std::string(50'000, 'x'), 20'000);  // wrong bytes: only a fresh start gives the right file
    const Result<Done> result = bench.fetch(bench.faulty(fault, data));
    REQUIRE(result);
    CHECK(result->resumed_from == 0);
    CHECK(bench.file() == data);
    bool forgotten_first = false;
    for (const Mark& mark : bench.marks.saved)
        forgotten_first = forgotten_first || mark.offset == 0;
    CHECK(forgotten_first);
}

TEST_CASE("416 means starting over once", "[download]") {
    Bench bench;
    const std::string data = pattern(20'000);
    bench.have(pattern(30'000), 25'000);
    Request wanted = bench.faulty("ok?size=20000", data);
    wanted.size_bytes = 0;  // unknown, so that the mark does not look wrong beforehand
    const auto done = bench.fetch(wanted);
    REQUIRE(done);
    CHECK(bench.file() == data);
    CHECK(done->resumed_from == 0);
}

TEST_CASE("a 200 of exactly the offset's length is not taken for the file", "[download]") {
    Bench bench;
    const std::string data = pattern(50'000);
    bench.have(data, 20'000);
    check_error(bench.fetch(bench.faulty("emptyrange?size=50000", data)), ErrorCode::download_size_mismatch);
}

TEST_CASE("a complete partial file needs no request", "[download]") {
    Bench bench;
    const std::string data = pattern(20'000);
    bench.have(data, 20'000);
    const std::size_t before = Servers::get().requests().size();
    REQUIRE(bench.fetch(bench.faulty("status?code=500", data)));
    CHECK(Servers::get().requests().size() == before);
}

TEST_CASE("without a strong validator nothing is continued", "[download]") {
    const std::string fault = GENERATE("weaketag", "noetag");
    Bench bench;
    const std::string data = pattern(50'000);
    REQUIRE(bench.fetch(bench.faulty(fault + "?size=50000", data)));
    CHECK(bench.marked() == 0);
    REQUIRE(bench.fetch(bench.faulty("ok?size=50000", data)));
    CHECK_FALSE(Servers::get().requests().back().as_object().contains("range"));
}

TEST_CASE("a damaged partial file is noticed by the digest and not kept", "[download]") {
    Bench bench;
    const std::string data = pattern(50'000);
    std::string wrong = data;
    wrong[100] = static_cast<char>(wrong[100] ^ 1);
    bench.have(wrong, 20'000);
    check_error(bench.fetch(bench.faulty("ok?size=50000", data)), ErrorCode::download_digest_mismatch);
    CHECK(bench.marked() == 0);
    CHECK(bench.file().empty());
    REQUIRE(bench.fetch(bench.faulty("ok?size=50000", data)));
    CHECK(bench.file() == data);
}

TEST_CASE("bytes beyond the mark are not trusted", "[download]") {
    Bench bench;
    const std::string data = pattern(50'000);
    bench.have(data, 20'000);
    std::ofstream(bench.folder / "part", std::ios::binary | std::ios::app) << std::string(5000, 'z');
    REQUIRE(bench.fetch(bench.faulty("ok?size=50000", data)));
    CHECK(bench.file() == data);
}

TEST_CASE("faults are told apart", "[download]") {
    struct Row {
        const char *fault, *what;
        ErrorCode code;
    };
    const Row row = GENERATE(
        Row{"truncate?size=50000&at=100", "short body", ErrorCode::download_interrupted},
        Row{"nolength?size=50000&at=30000", "closed early without a length", ErrorCode::download_interrupted},
        Row{"chunked?size=50000&at=30000", "chunked, closed early", ErrorCode::download_interrupted},
        Row{"longer?size=50000&extra=1", "longer than announced", ErrorCode::download_size_mismatch},
        Row{"ok?size=49999", "shorter than announced", ErrorCode::download_size_mismatch},
        Row{"nolength?size=50001", "longer, without a length", ErrorCode::download_size_mismatch},
        Row{"chunked?size=90000", "longer, chunked", ErrorCode::download_size_mismatch},
        Row{"status?code=401", "401", ErrorCode::url_expired},
        Row{"status?code=403", "403", ErrorCode::url_expired},
        Row{"status?code=404", "404", ErrorCode::url_gone},
        Row{"status?code=410", "410", ErrorCode::url_gone},
        Row{"status?code=500", "500", ErrorCode::download_server_error},
        Row{"status?code=503", "503", ErrorCode::download_server_error},
        Row{"status?code=400", "400", ErrorCode::download_server_error},
        Row{"redirect?size=50000&hops=4", "too many redirects", ErrorCode::download_server_error},
        Row{"redirect?to=http://127.0.0.1:1/", "redirect away from https", ErrorCode::url_not_https},
        Row{"redirect?to=file:///etc/passwd", "redirect to a file", ErrorCode::url_not_https},
        Row{"garbage?", "not HTTP", ErrorCode::download_interrupted});
    INFO(row.what);
    Bench bench;
    check_error(bench.fetch(bench.faulty(std::string(row.fault) + "&token=secret", pattern(50'000))),
                row.code);
    CHECK(bench.file().size() <= 50'000);
}

TEST_CASE("an address that makes no sense is final: fetching it again cannot help", "[download]") {
    const char* url =
        GENERATE("https://127.0.0.1:99999/p.mcup?token=secret", "https://[::1/p.mcup?token=secret",
                 "https://?token=secret", "https://a b/p.mcup?token=secret");
    INFO(url);
    Bench bench;
    const auto done = bench.fetch(bench.request(url, pattern(100)));
    check_error(done, ErrorCode::url_malformed);
    CHECK(done.error().cls() == ErrorClass::final);
    CHECK_FALSE(done.error().next.empty());
}

TEST_CASE("sound answers of unusual form are accepted", "[download]") {
    const char* fault = GENERATE("nolength?size=50000", "chunked?size=50000", "redirect?size=50000&hops=3",
                                 "overrun?size=50000&extra=1000");
    INFO(fault);
    Bench bench;
    const std::string data = pattern(50'000);
    REQUIRE(bench.fetch(bench.faulty(fault, data)));
    CHECK(bench.file() == data);
}

TEST_CASE("an expired address keeps the partial file for the next one", "[download]") {
    Bench bench;
    const std::string data = pattern(50'000);
    bench.have(data, 20'000);
    check_error(bench.fetch(bench.faulty("status?code=403", data)), ErrorCode::url_expired);
    CHECK(bench.marked() == 20'000);
    const auto done = bench.fetch(bench.faulty("ok?size=50000", data));
    REQUIRE(done);
    CHECK(done->resumed_from == 20'000);
}

TEST_CASE("a server that falls silent is left after the stall time", "[download]") {
    Bench bench;
    bench.options.stall_timeout_ms = 700;
    const auto begin = std::chrono::steady_clock::now();
    check_error(bench.fetch(bench.faulty("stall?size=50000&at=20000", pattern(50'000))),
                ErrorCode::download_interrupted);
    const auto took = std::chrono::steady_clock::now() - begin;
    CHECK(took >= 700ms);
    CHECK(took < 4s);
    CHECK(bench.marked() > 0);
}

TEST_CASE("cancelling is quick and keeps what is there", "[download]") {
    Bench bench;
    const std::string data = pattern(50'000);
    const auto result = bench.fetch(bench.faulty("stall?size=50000&at=20000", data), 500ms);
    CHECK(std::chrono::steady_clock::now() - bench.cancelled_at < 1s);
    check_error(result, ErrorCode::cancelled);
    CHECK(bench.marked() == 20'000);
    const auto done = bench.fetch(bench.faulty("ok?size=50000", data));
    REQUIRE(done);
    CHECK(done->resumed_from == 20'000);
}

TEST_CASE("servers that cannot be trusted or reached", "[download]") {
    Bench bench;
    const std::string data = pattern(1000);
    SECTION("another CA") {
        bench.options.ca_file.clear();  // the system's do not know the test's
        check_error(bench.fetch(bench.faulty("ok?size=1000", data)), ErrorCode::download_tls);
    }
    SECTION("no such CA file") {
        bench.options.ca_file = "/nonexistent.crt";
        check_error(bench.fetch(bench.faulty("ok?size=1000", data)), ErrorCode::download_tls);
    }
    SECTION("nobody listens") {
        check_error(bench.fetch(bench.request("https://127.0.0.1:1/x?token=secret", data)),
                    ErrorCode::download_interrupted);
    }
    SECTION("no such name") {
        check_error(bench.fetch(bench.request("https://mcuota-test.invalid/x?token=secret", data)),
                    ErrorCode::download_interrupted);
    }
    SECTION("not https: refused before anything is done") {
        check_error(bench.fetch(bench.request("http://127.0.0.1:1/x?token=secret", data)),
                    ErrorCode::url_not_https);
        CHECK_FALSE(std::filesystem::exists(bench.folder / "part"));
    }
    SECTION("not a url at all") {
        check_error(bench.fetch(bench.request("https://[bad", data)), ErrorCode::url_malformed);
    }
}

TEST_CASE("limits of size hold before and during the transfer", "[download]") {
    Bench bench;
    Request wanted = bench.faulty("ok?size=50000", pattern(50'000));
    wanted.size_bytes_max = 49'999;
    SECTION("announced too large") {}
    SECTION("unknown, and the server says too large") {
        wanted.size_bytes = 0;
    }
    SECTION("unknown, and the server just sends") {
        wanted.url = Servers::get().fault("nolength?size=50000");
        wanted.size_bytes = 0;
    }
    check_error(bench.fetch(wanted), ErrorCode::download_size_mismatch);
    CHECK(bench.file().size() <= 49'999);
}

TEST_CASE("a full disk and an unwritable place are told apart", "[download]") {
    Bench bench;
    Request wanted = bench.faulty("ok?size=50000", pattern(50'000));
    SECTION("full") {
        wanted.partial_file = "/dev/full";
        check_error(bench.fetch(wanted), ErrorCode::disk_full);
    }
    SECTION("no such folder") {
        wanted.partial_file = bench.folder / "missing" / "part";
        check_error(bench.fetch(wanted), ErrorCode::file_unwritable);
    }
}

TEST_CASE("a signed address of a real web server works, expires, and the download goes on with a fresh one",
          "[download][nginx]") {
    Bench bench;
    Servers& servers = Servers::get();
    const std::string data = pattern(300'000);
    servers.put("a.bin", data);
    const auto fresh = [&] { return bench.request(servers.ask("sign a.bin oss 60"), data); };
    const auto expired = [&] { return bench.request(servers.ask("sign a.bin oss -5"), data); };
    const auto slow = [&] { return bench.request(servers.ask("sign a.bin slow 60"), data); };
    SECTION("works") {
        REQUIRE(bench.fetch(fresh()));
        CHECK(bench.file() == data);
    }
    SECTION("expired") {
        check_error(bench.fetch(expired()), ErrorCode::url_expired);
    }
    SECTION("cancelled in the middle, refused, continued") {
        check_error(bench.fetch(slow(), 1200ms), ErrorCode::cancelled);
        const std::uint64_t kept = bench.marked();
        CHECK(kept > 0);
        check_error(bench.fetch(expired()), ErrorCode::url_expired);
        const auto done = bench.fetch(fresh());
        REQUIRE(done);
        CHECK(done->resumed_from == kept);
        CHECK(bench.file() == data);
    }
    SECTION("killed in the middle, continued") {
        bool killed = false;
        bench.on_progress = [&] {
            if (std::exchange(killed, true)) return;
            servers.ask("kill-web");
        };
        check_error(bench.fetch(slow()), ErrorCode::download_interrupted);
        CHECK(killed);
        servers.ask("start-web");
        const auto done = bench.fetch(fresh());
        REQUIRE(done);
        CHECK(done->resumed_from > 0);
        CHECK(bench.file() == data);
    }
    SECTION("another version under the same name starts over") {
        check_error(bench.fetch(slow(), 1200ms), ErrorCode::cancelled);
        std::string other = data;
        other[5] = 'x';
        servers.put("a.bin", other);
        servers.ask("touch a.bin");
        const auto done = bench.fetch(bench.request(servers.ask("sign a.bin oss 60"), other));
        REQUIRE(done);
        CHECK(done->resumed_from == 0);
        CHECK(bench.file() == other);
    }
    SECTION("a server without ranges starts over") {
        bench.have(data, 1000, "\"not-this\"");
        const auto done = bench.fetch(bench.request(servers.web("noranges/a.bin"), data));
        REQUIRE(done);
        CHECK(done->resumed_from == 0);
    }
    SECTION("busy and dropping servers") {
        check_error(bench.fetch(bench.request(servers.web("busy/a.bin"), data)),
                    ErrorCode::download_server_error);
        check_error(bench.fetch(bench.request(servers.web("drop/a.bin"), data)),
                    ErrorCode::download_interrupted);
        check_error(bench.fetch(bench.request(servers.web("plain/none.bin"), data)), ErrorCode::url_gone);
    }
}

TEST_CASE("a speed limit is kept", "[download]") {
    Bench bench;
    bench.options.bytes_per_second_max = 100'000;
    const auto begin = std::chrono::steady_clock::now();
    REQUIRE(bench.fetch(bench.faulty("ok?size=400000", pattern(400'000))));
    CHECK(std::chrono::steady_clock::now() - begin >= 1500ms);
}
