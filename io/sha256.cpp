#include "io/sha256.h"

#include <openssl/evp.h>

#include "io/durable.h"
#include "io/input_file.h"
#include "kernels/error.h"

namespace temper {

struct Sha256::Context {
    EVP_MD_CTX* evp = EVP_MD_CTX_new();
    ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
    if (context_->evp == nullptr || EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) != 1)
        throw_error(ExitCode::internal, "SHA-256 is not available in this OpenSSL");
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
    if (EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) != 1) throw_error(ExitCode::internal, "SHA-256: update failed");
}

std::string Sha256::hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (EVP_DigestFinal_ex(context_->evp, digest, &length) != 1) throw_error(ExitCode::internal, "SHA-256: final failed");
    std::string text;
    for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
}

std::string sha256_hex(std::string_view bytes) {
    Sha256 hash;
    hash.update(bytes);
    return hash.hex();
}

std::string sha256_file(const std::filesystem::path& path) {
    const InputFile file(path);
    Sha256 hash;
    std::string piece(std::size_t(1) << 18, '\0');
    for (std::uint64_t offset = 0; offset < file.size(); offset += piece.size()) {
        piece.resize(std::min<std::uint64_t>(piece.size(), file.size() - offset));
        file.read_at(offset, piece.data(), piece.size());
        hash.update(piece);
    }
    return hash.hex();
}

}  // namespace temper
