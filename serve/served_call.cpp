#include "serve/served_call.h"

#include "io/json_text.h"
#include "io/log.h"

namespace temper {

bool ServedCall::gone() const {
    if (!exchange_->abandoned()) return false;
    metrics_->abandoned();
    done(499, "the client has gone");
    return true;
}

void ServedCall::answer(int status, const Json& body, const std::string& note) const {
    // Told before it is sent: who has the answer finds it counted.
    done(status, note);
    exchange_->answer(status, "application/json", json_text(body));
}

void ServedCall::done(int status, const std::string& note) const {
    metrics_->request_done(endpoint_, status, seconds());
    if (endpoint_ == "/health") return;  // asked for all the time
    log_info("{} {} {:.3f} s{}", endpoint_, status, seconds(), note.empty() ? "" : ", " + note);
}

}  // namespace temper
