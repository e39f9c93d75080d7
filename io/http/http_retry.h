// Requests that are worth repeating: waits that grow, servers that say how long to wait, and no more requests a second than agreed.
#pragma once
#include <functional>
#include <mutex>

#include "io/http/http.h"

namespace temper {

struct RetryPolicy {
    int attempts = 5;                   // the first included
    double first_wait = 0.5;            // seconds; doubled each time, and shortened at random by up to half so that clients part
    double longest_wait = 60;           // seconds, that it grows to
    double longest_asked = 0;           // seconds; of a server that asks for more, its answer is handed on as it is; 0: longest_wait
    std::function<void(double)> sleep;  // seconds; empty: this thread sleeps
    std::function<void(const std::string& why, double seconds)> before_wait;  // told of each repetition
    std::function<void()> before_attempt;                                     // of each repetition, behind its wait: for a turn among other requests
    std::function<std::string(const HttpResponse&)> fault;                    // why to repeat in spite of a status of success; "": it is none
};

// Repeats what failed for a while only: HttpErrors that are transient, the statuses 408, 425, 429 and from 500 on all but 501 and 505, and what
// policy.fault says. Retry-After is respected in both of its forms. Ends with the last answer or HttpError; request.cancelled ends a wait as well.
HttpResponse send_with_retries(HttpClient& client, const HttpRequest& request, const RetryPolicy& policy = {});

// Seconds that an answer asks to wait; 0 when it does not.
double retry_after(const HttpResponse& response, double unix_now);

// A bucket of tokens: `burst` at most, `per_second` flow in. take() waits for its tokens; callers are served in the order of their calls.
// Thread-safe.
class RateLimiter {
  public:
    struct Time {
        std::function<double()> now;        // seconds, never going back
        std::function<void(double)> sleep;  // seconds
    };
    RateLimiter(double per_second, double burst);  // per_second 0: no limit
    RateLimiter(double per_second, double burst, Time time);
    void take(double tokens = 1);

  private:
    double per_second_, burst_, level_, updated_;
    Time time_;
    std::mutex mutex_;
};

}  // namespace temper
