// Name lookup and TLS diagnosis with the plain calls of the system and OpenSSL.
#include "daemon/cloud/probe.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

namespace mcuota::cloud {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

int resolve(const std::string& host, const std::string& service, AddressList& list) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed = getaddrinfo(host.c_str(), service.empty() ? nullptr : service.c_str(), &hints, &found);
    if (failed == 0) list.reset(found);
    return failed;
}

struct Socket {
    int fd{-1};
    Socket() = default;
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
        if (fd >= 0) ::close(fd);
    }
};

class Deadline {
  public:
    explicit Deadline(std::uint32_t ms)
        : end_(std::chrono::steady_clock::now() + std::chrono::milliseconds(ms)) {}
    /// False when the time is up.
    bool wait(int fd, short events) const {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end_ - std::chrono::steady_clock::now())
                .count();
        pollfd watched{fd, events, 0};
        return left > 0 && ::poll(&watched, 1, static_cast<int>(left)) == 1;
    }

  private:
    std::chrono::steady_clock::time_point end_;
};

std::string openssl_words() {
    const unsigned long code = ERR_get_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason ? reason : "the connection was closed";
}

bool is_address(const std::string& host) {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
    freeaddrinfo(found);
    return true;
}

std::string connect_problem(const std::string& host, std::uint16_t port, const Deadline& deadline,
                            Socket& out) {
    AddressList list(nullptr, &freeaddrinfo);
    if (const int failed = resolve(host, std::to_string(port), list); failed != 0)
        return gai_strerror(failed);
    std::string problem = "no address";
    for (const addrinfo* at = list.get(); at; at = at->ai_next) {
        Socket socket;
        socket.fd = ::socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (socket.fd < 0) continue;
        if (::connect(socket.fd, at->ai_addr, at->ai_addrlen) != 0) {
            if (errno != EINPROGRESS) {
                problem = std::strerror(errno);
                continue;
            }
            if (!deadline.wait(socket.fd, POLLOUT)) return "no answer to the TCP connection";
            int error = 0;
            socklen_t size = sizeof error;
            getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &error, &size);
            if (error != 0) {
                problem = std::strerror(error);
                continue;
            }
        }
        std::swap(out.fd, socket.fd);
        return {};
    }
    return problem;
}

}  // namespace

std::string lookup_problem(const std::string& host) {
    AddressList list(nullptr, &freeaddrinfo);
    const int failed = resolve(host, {}, list);
    return failed == 0 ? std::string{} : "the name " + host + " does not resolve: " + gai_strerror(failed);
}

std::string tls_problem(const std::string& host, std::uint16_t port, const std::filesystem::path& ca_file,
                        std::uint32_t timeout_ms) {
    const Deadline deadline(timeout_ms);
    Socket socket;
    if (std::string problem = connect_problem(host, port, deadline, socket); !problem.empty()) return problem;

    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                    &SSL_CTX_free);
    if (!context) return openssl_words();
    if (ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context.get());
    } else if (SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) {
        ERR_clear_error();
        return "the certificate file " + ca_file.string() + " cannot be read";
    }
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), &SSL_free);
    if (!tls) return openssl_words();
    SSL_set_verify(tls.get(), SSL_VERIFY_PEER, nullptr);
    if (is_address(host)) {
        X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls.get()), host.c_str());
    } else {
        SSL_set1_host(tls.get(), host.c_str());
        SSL_set_tlsext_host_name(tls.get(), host.c_str());
    }
    SSL_set_fd(tls.get(), socket.fd);
    for (;;) {
        ERR_clear_error();
        const int done = SSL_connect(tls.get());
        if (done == 1) return {};
        const int want = SSL_get_error(tls.get(), done);
        if (want == SSL_ERROR_WANT_READ || want == SSL_ERROR_WANT_WRITE) {
            if (deadline.wait(socket.fd, want == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)) continue;
            return "the server does not answer the TLS handshake";
        }
        const long verified = SSL_get_verify_result(tls.get());
        return verified != X509_V_OK ? X509_verify_cert_error_string(verified) : openssl_words();
    }
}

}  // namespace mcuota::cloud
