// A dictionary of byte strings, laid out so that walking down costs a search among a node's neighbours in memory.
#pragma once
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::tok {

class ByteTrie {
  public:
    using Entry = std::pair<std::string_view, std::int32_t>;
    ByteTrie() : ByteTrie(std::vector<Entry>()) {}
    explicit ByteTrie(std::vector<Entry> entries);  // of equal strings the last wins; an empty string is left out

    static constexpr std::uint32_t root = 0, none = ~std::uint32_t(0);
    std::uint32_t child(std::uint32_t node, unsigned char byte) const {
        if (node == root) return first_[byte];
        const Node& here = nodes_[node];
        if (here.children == 0) return none;
        const void* found = std::memchr(labels_.data() + here.child, byte, here.children);
        return found ? static_cast<std::uint32_t>(static_cast<const unsigned char*>(found) - labels_.data()) : none;
    }
    std::int32_t value(std::uint32_t node) const { return nodes_[node].value; }  // -1 where no string ends

  private:
    struct Node {
        std::uint32_t child = 0;
        std::uint32_t children = 0;
        std::int32_t value = -1;
    };
    std::vector<Node> nodes_;
    std::vector<unsigned char> labels_;  // by node: the byte that leads to it
    std::vector<std::uint32_t> first_;   // children of the root by byte
};

}  // namespace temper::tok
