// A folder that has no source yet still links as a library.
namespace temper {}
