#pragma once
// The functions behind targets(): what is run, and the seeds to begin with. One file of definitions an area.

#include "tests/fuzz/targets.hpp"

namespace mcuota::fuzz {

// formats.cpp: whatever is accepted is what the encoder writes: one valid form.
void run_manifest(View input);
std::vector<Bytes> manifest_seeds();
void run_rotation(View input);
std::vector<Bytes> rotation_seeds();
void run_container(View input);
std::vector<Bytes> container_seeds();
void run_envelope_head(View input);
std::vector<Bytes> envelope_head_seeds();
void run_vector_line(View input);
std::vector<Bytes> vector_line_seeds();

// payloads.cpp: never more output than announced, never more memory than told, on exactly sized memory.
void run_hdiffsf20(View input);
std::vector<Bytes> hdiffsf20_seeds();
void run_hdiff13(View input);
std::vector<Bytes> hdiff13_seeds();
void run_relocated(View input);
std::vector<Bytes> relocated_seeds();
/// Input: one byte that chooses (payload kind 2 or 3, or an `.lzma` file), three bytes image size, payload.
void run_lzma(View input);
std::vector<Bytes> lzma_seeds();

// link.cpp
/// Input: bytes of the wire.
void run_link_frame(View input);
std::vector<Bytes> link_frame_seeds();
/// Input: frames as type, flags, body length (16 bit), body; they get session, sequence and CRC here.
void run_link_server(View input);
std::vector<Bytes> link_server_seeds();

}  // namespace mcuota::fuzz
