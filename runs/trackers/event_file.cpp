#include "runs/trackers/event_file.h"

#include <array>
#include <bit>

namespace temper {
namespace {

constexpr std::array<std::uint32_t, 256> crc_table = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0u);  // Castagnoli, reflected
        table[byte] = crc;
    }
    return table;
}();

template <class T> void put_little_endian(std::string& out, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// TensorFlow masks checksums, so that one over data with checksums in it stays a good one.
std::uint32_t masked(std::uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8u; }

std::string record(const std::string& data) {
    std::string out;
    put_little_endian(out, static_cast<std::uint64_t>(data.size()));
    put_little_endian(out, masked(crc32c(out)));
    out += data;
    put_little_endian(out, masked(crc32c(data)));
    return out;
}

// Protobuf's wire format: a field's number and kind, then its value.
class Message {
  public:
    Message& varint(int field, std::uint64_t value) {
        key(field, 0);
        raw_varint(value);
        return *this;
    }
    Message& fixed64(int field, double value) {
        key(field, 1);
        put_little_endian(bytes_, std::bit_cast<std::uint64_t>(value));
        return *this;
    }
    Message& fixed32(int field, float value) {
        key(field, 5);
        put_little_endian(bytes_, std::bit_cast<std::uint32_t>(value));
        return *this;
    }
    Message& text(int field, std::string_view value) {
        key(field, 2);
        raw_varint(value.size());
        bytes_ += value;
        return *this;
    }
    Message& message(int field, const Message& value) { return text(field, value.bytes_); }
    const std::string& bytes() const { return bytes_; }

  private:
    void key(int field, unsigned kind) { raw_varint(static_cast<std::uint64_t>(field) << 3 | kind); }
    void raw_varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7f) | 0x80);
        bytes_ += static_cast<char>(value);
    }
    std::string bytes_;
};

// Event: wall_time = 1, step = 2, file_version = 3, summary = 5; Summary: value = 1.
Message event(std::int64_t time, std::int64_t step) {
    Message message;
    message.fixed64(1, static_cast<double>(time) / 1000);
    if (step != 0) message.varint(2, static_cast<std::uint64_t>(step));
    return message;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
    std::uint32_t crc = 0xffffffffu;
    for (const char byte : bytes) crc = crc >> 8 ^ crc_table[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
    return ~crc;
}

std::string event_file_header(std::int64_t time) { return record(event(time, 0).text(3, "brain.Event:2").bytes()); }

std::string scalar_event(std::int64_t time, std::int64_t step, const std::string& tag, double value) {
    // Summary.Value: tag = 1, simple_value = 2.
    const Message figure = Message().text(1, tag).fixed32(2, static_cast<float>(value));
    return record(event(time, step).message(5, Message().message(1, figure)).bytes());
}

std::string text_event(std::int64_t time, const std::string& tag, const std::string& markdown) {
    // Summary.Value: tag = 1, tensor = 8, metadata = 9; TensorProto: dtype = 1 (7: string), string_val = 8; SummaryMetadata: plugin_data = 1.
    const Message metadata = Message().message(1, Message().text(1, "text"));
    const Message tensor = Message().varint(1, 7).message(2, Message()).text(8, markdown);
    const Message value = Message().text(1, tag + "/text_summary").message(8, tensor).message(9, metadata);
    return record(event(time, 0).message(5, Message().message(1, value)).bytes());
}

}  // namespace temper
