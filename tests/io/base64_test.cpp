#include "io/base64.h"

#include <gtest/gtest.h>

#include "kernels/error.h"

namespace temper {
namespace {

TEST(Base64, IsThatOfTheStandardsOwnExamples) {  // RFC 4648, section 10
    const std::pair<const char*, const char*> cases[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : cases) {
        EXPECT_EQ(encode_base64(bytes), text);
        EXPECT_EQ(decode_base64(text, "here"), bytes);
    }
}

TEST(Base64, KeepsEveryByte) {
    std::string bytes;
    for (int i = 0; i < 256; ++i) {
        bytes += static_cast<char>(i);
        EXPECT_EQ(decode_base64(encode_base64(bytes), "here"), bytes);
    }
    EXPECT_EQ(encode_base64("\xfb\xff\xfe"), "+//+");
}

std::string failure(const char* text) {
    try {
        decode_base64(text, "here");
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::bad_data);
        return error.what();
    }
    return "taken";
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
    EXPECT_EQ(failure("Zm9*"), "here: character 3 is not one of base64");
    EXPECT_EQ(failure("Zg==Zg=="), "here: character 2 is not one of base64");
    EXPECT_EQ(failure("Zm\n9"), "here: character 2 is not one of base64");
    for (const char* text : {"Z", "Zg", "Zg=", "Z===", "====", "Zm9vY"}) EXPECT_NE(failure(text).find("groups of four"), std::string::npos) << text;
    EXPECT_EQ(failure("Zh=="), "here: the last character of base64 has bits of no byte");
    EXPECT_EQ(failure("Zm9="), "here: the last character of base64 has bits of no byte");
}

}  // namespace
}  // namespace temper
