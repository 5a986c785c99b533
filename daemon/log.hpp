#pragma once
// Log lines on standard error, with the priority prefix journald understands ("<6>") when it reads them.

#include <cstdint>
#include <string>
#include <string_view>

namespace mcuota {

enum class Severity : std::uint8_t { error = 3, warning = 4, info = 6, debug = 7 };

/// Writes whole lines; may be used from any thread.
class Log {
  public:
    /// Lines less urgent than `least` are dropped. `prefix`: write "<6>" (the reader is journald).
    explicit Log(Severity least = Severity::info, bool prefix = false) : least_(least), prefix_(prefix) {}
    virtual ~Log() = default;
    void error(std::string_view text) { write(Severity::error, text); }
    void warning(std::string_view text) { write(Severity::warning, text); }
    void info(std::string_view text) { write(Severity::info, text); }
    void debug(std::string_view text) { write(Severity::debug, text); }

  protected:
    virtual void put(const std::string& line);

  private:
    void write(Severity severity, std::string_view text);
    Severity least_;
    bool prefix_;
};

}  // namespace mcuota
