// mcuota-pack rotate: the record that makes a loader's next key its current one.

#include <iostream>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/package/cli/commands.hpp"
#include "mcu_flasher/package/cli/files.hpp"
#include "mcu_flasher/package/cli/output.hpp"
#include "mcu_flasher/package/rotation_file.hpp"

namespace mcuota::pack {

Result<void> rotate(const RotateOptions& options) {
    auto signer = signer_of(options.signing);
    if (!signer) return std::move(signer).error();
    const auto pem = read_file(options.next, 64U << 10, ErrorCode::key_unreadable);
    if (!pem) return pem.error();
    const auto next = package::OpensslKey::from_public_pem(
        {reinterpret_cast<const char*>(pem->data()), pem->size()}, options.next);
    if (!next) return next.error();
    const auto record = package::make_rotation(options.generation, *next, **signer);
    if (!record) return record.error();
    if (auto written = write_result(options.out, *record); !written) return written;

    if (options.json) {
        print_json({{"file", options.out},
                    {"bytes", record->size()},
                    {"generation", options.generation},
                    {"current", to_hex((*signer)->key_id())},
                    {"next", to_hex(next->id())}});
        return {};
    }
    std::cout << options.out << ": after it devices are at key generation " << options.generation << '\n'
              << "  current  " << to_hex((*signer)->key_id()) << "  (signs packages from now on)\n"
              << "  next     " << to_hex(next->id()) << "  (signs the next rotation, nothing else)\n";
    return {};
}

}  // namespace mcuota::pack
