// A zip of one file through libarchive, in memory.

#include "mcu_flasher/package/zip_writer.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <memory>

namespace mcuota::package {
namespace {

struct FreeWriter {
    void operator()(archive* a) const noexcept { archive_write_free(a); }
};
struct FreeEntry {
    void operator()(archive_entry* e) const noexcept { archive_entry_free(e); }
};

/// Head, table of contents and the name twice take far less.
constexpr std::size_t kFrameBytes = 4096;

}  // namespace

Result<Bytes> zip_of(const std::string& name, std::span<const std::uint8_t> content) {
    const std::unique_ptr<archive, FreeWriter> zip(archive_write_new());
    const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
    Bytes out(content.size() + 2 * name.size() + kFrameBytes);
    std::size_t size = 0;
    const auto failed = [&] {
        const char* const text = zip ? archive_error_string(zip.get()) : nullptr;
        return Error{ErrorCode::internal,
                     std::string("the zip could not be written: ") + (text == nullptr ? "" : text), "", 0};
    };
    if (!zip || !entry || archive_write_set_format_zip(zip.get()) != ARCHIVE_OK ||
        archive_write_zip_set_compression_store(zip.get()) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(zip.get(), 1) != ARCHIVE_OK ||
        archive_write_open_memory(zip.get(), out.data(), out.size(), &size) != ARCHIVE_OK)
        return failed();
    // Without a time libarchive writes the first one a zip can express, in every time zone.
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0644);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
    if (archive_write_header(zip.get(), entry.get()) != ARCHIVE_OK ||
        archive_write_data(zip.get(), content.data(), content.size()) !=
            static_cast<la_ssize_t>(content.size()) ||
        archive_write_close(zip.get()) != ARCHIVE_OK)
        return failed();
    out.resize(size);
    return out;
}

}  // namespace mcuota::package
