// check_files: reads paths from stdin, one a line, and says of each whether it is accepted: "ok", or what is wrong. A path that ends in
// .gguf is read as GGUF, any other as safetensors. For tests/campaigns/reader_verdicts.py.
#include <algorithm>
#include <cstdio>
#include <iostream>

#include "io/tensors/gguf.h"
#include "io/tensors/tensor_source.h"
#include "kernels/error.h"

using namespace temper;

int main() {
    for (std::string path; std::getline(std::cin, path);) {
        try {
            if (path.ends_with(".gguf")) const GgufFile file(path);
            else open_safetensors(path);
            std::puts("ok");
        } catch (const Error& error) {
            std::string message = error.what();
            std::replace(message.begin(), message.end(), '\n', ' ');
            std::printf("exit %d: %s\n", static_cast<int>(error.code()), message.c_str());
        }
        std::fflush(stdout);
    }
}
