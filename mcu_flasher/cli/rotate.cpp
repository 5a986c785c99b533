// mcuota-flash rotate: key rotation records for a device, and what its keys are afterwards.
#include <iostream>
#include <vector>

#include "mcu_flasher/base/file.hpp"
#include "mcu_flasher/base/hex.hpp"
#include "mcu_flasher/cli/commands.hpp"
#include "mcu_flasher/cli/output.hpp"
#include "mcu_loader/core/rotation.hpp"

namespace mcuota::flash {

namespace asio = boost::asio;

namespace {

using Bytes = std::vector<std::uint8_t>;

struct Record {
    Bytes bytes;
    std::uint16_t generation{0};
    KeyId signer{};
};

/// The records of a file, back to back.
Result<std::vector<Record>> read_records(const std::string& file) {
    const auto bytes = read_file(file, kRotationsMax * kRotationBytesMax, ErrorCode::package_malformed);
    if (!bytes) return bytes.error();
    std::vector<Record> out;
    for (std::span<const std::uint8_t> rest{*bytes}; !rest.empty() || out.empty();) {
        const auto piece = rest.first(rotation_size(rest));
        RotationRecord record;
        if (piece.empty() || parse_rotation(piece, record) != Status::ok)
            return Error{ErrorCode::package_malformed, file + " holds no key rotation record",
                         "give a file made by mcuota-pack rotate"};
        out.push_back({{piece.begin(), piece.end()}, record.generation, record.signer});
        rest = rest.subspan(piece.size());
    }
    return out;
}

/// The device's refusal in the words of this command.
Error refused(Error error, const Record& record, const link::Identity& id) {
    const std::string which = "the record of generation " + std::to_string(record.generation);
    switch (static_cast<Status>(error.device_status)) {
        case Status::key_unknown:
            error.what = which + " is signed with " + to_hex(record.signer) + ", the device's next key is " +
                         (id.key_next == KeyId{} ? "none" : to_hex(id.key_next));
            error.next = "use the record made with the device's next key";
            break;
        case Status::wrong_state:
            error.what =
                record.generation > id.key_generation + 1
                    ? which + " does not follow: the device's keys are of generation " +
                          std::to_string(id.key_generation)
                    : "the device took another record of generation " + std::to_string(record.generation);
            error.next = "look at the device's keys: mcuota-flash info";
            break;
        case Status::malformed_request:
            error.code = ErrorCode::device_refused;
            error.what = which + " brings a key the device has or had already";
            error.next = "make a record with a fresh next key: mcuota-pack keygen, mcuota-pack rotate";
            break;
        default:
            break;
    }
    return error;
}

asio::awaitable<Result<void>> hand_over(flasher::Flasher& device, const Common& common,
                                        const std::vector<Record>& records) {
    auto before = co_await device.identify();
    if (!before) co_return std::move(before).error();
    for (const Record& record : records) {
        auto taken = co_await device.rotate(record.bytes);
        if (!taken) {
            auto now = co_await device.identify();
            Error error = refused(std::move(taken).error(), record, now ? *now : *before);
            co_return error;
        }
    }
    auto after = co_await device.identify();
    if (!after) co_return std::move(after).error();
    const bool new_ones = after->key_generation != before->key_generation;
    if (common.json) {
        print_json({{"outcome", new_ones ? "rotated" : "in_force_already"},
                    {"generation", after->key_generation},
                    {"current", to_hex(after->key_current)},
                    {"next", to_hex(after->key_next)}});
    } else {
        std::cout << "keys of " << after->hardware.view() << (new_ones ? " rotated" : " were rotated before")
                  << ": generation " << after->key_generation << ", packages signed with "
                  << to_hex(after->key_current) << ", next " << to_hex(after->key_next) << '\n';
    }
    co_return Result<void>{};
}

}  // namespace

Result<void> rotate(const Common& common, const std::string& file) {
    const auto records = read_records(file);
    if (!records) return records.error();
    return with_device(common, {},
                       [&](flasher::Flasher& device) { return hand_over(device, common, *records); });
}

}  // namespace mcuota::flash
