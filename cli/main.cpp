#include "cli/commands.h"

int main(int argc, char** argv) { return temper::run_command_line(argc, argv); }
