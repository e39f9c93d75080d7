// SHA-256 of bytes that come in pieces.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace temper {

class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    void update(std::string_view bytes);
    std::string hex();  // ends it

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

}  // namespace temper
