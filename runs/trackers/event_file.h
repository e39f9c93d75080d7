// TensorBoard's event files: records of TensorFlow's TFRecord framing (length, its checksum, data, its checksum; masked CRC-32C), each an Event in
// protobuf. Only what scalars and a page of text need is written.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace temper {

std::uint32_t crc32c(std::string_view bytes);

// One record each, ready to be appended to a file. Wall times are milliseconds since 1970.
std::string event_file_header(std::int64_t time);  // "brain.Event:2", the first record of a file
std::string scalar_event(std::int64_t time, std::int64_t step, const std::string& tag, double value);
std::string text_event(std::int64_t time, const std::string& tag, const std::string& markdown);

}  // namespace temper
