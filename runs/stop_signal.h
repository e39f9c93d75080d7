// SIGUSR1, SIGTERM and SIGINT set one atomic flag and do nothing else. The loop asks at each micro-batch and the ranks agree by
// Comm::all_max, so that all of them save the same step.
#pragma once

namespace temper {

void install_stop_signals();  // a second SIGINT ends the process as usual
int stop_requested();         // number of the signal that arrived first, 0 when none has
void clear_stop_request();    // for tests

}  // namespace temper
