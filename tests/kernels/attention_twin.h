// Attention in plain double code, forward and backward: one query, one head, one key at a time.
#pragma once
#include "common.h"
#include "kernels/ops.h"

namespace temper::test {

struct AttentionCase {
    std::int64_t tokens, keys, heads, kv_heads, d;
    std::vector<Segment> segments;
    std::int64_t window = 0;
    float softcap = 0.0f;
    bool library = false, causal = true;
    Numbers* bias = nullptr;  // (heads, 2 R + 1)
    AttentionRule rule() const {
        AttentionRule rule{scale(), window, softcap, library};
        rule.causal = causal;
        if (bias != nullptr) rule.bias = bias->view();
        return rule;
    }
    float scale() const { return 1.0f / std::sqrt(static_cast<float>(d)); }
};

struct AttentionTwin {
    std::vector<double> out, lse, d_q, d_k, d_v;

    AttentionTwin(const AttentionCase& c, const Numbers& q, const Numbers& k, const Numbers& v, const Numbers* d_out) {
        out.assign(size(c.tokens * c.heads * c.d), 0.0), lse.assign(size(c.tokens * c.heads), 0.0);
        d_q = out, d_k.assign(size(c.keys * c.kv_heads * c.d), 0.0), d_v = d_k;
        for (const Segment& s : c.segments)
            for (std::int64_t i = 0; i < s.length; ++i)
                for (std::int64_t h = 0; h < c.heads; ++h) row(c, s, i, h, q, k, v, d_out);
    }

  private:
    static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

    void row(const AttentionCase& c, const Segment& s, std::int64_t i, std::int64_t h, const Numbers& q, const Numbers& k, const Numbers& v,
             const Numbers* d_out) {
        const std::int64_t visible = s.prefix_length + (c.causal ? i + 1 : s.length), token = s.begin + i, kv = h * c.kv_heads / c.heads * c.d,
                           qh = h * c.d;
        const auto key = [&](std::int64_t j) { return j < s.prefix_length ? s.prefix_begin + j : s.key_begin + j - s.prefix_length; };
        const std::int64_t first = c.window > 0 ? std::max<std::int64_t>(0, visible - c.window) : 0;
        std::vector<double> p(size(visible)), slope(size(visible), 1.0);
        double total = 0;
        for (std::int64_t j = first; j < visible; ++j) {
            double dot = 0;
            for (std::int64_t e = 0; e < c.d; ++e) dot += static_cast<double>(q.at(token, qh + e)) * k.at(key(j), kv + e);
            double logit = dot * c.scale();
            if (c.bias != nullptr) {
                const std::int64_t radius = c.bias->columns() / 2;
                logit += c.bias->at(h, radius + std::clamp(j - i, -radius, radius));
            }
            if (c.softcap > 0) {
                const double t = std::tanh(logit / c.softcap);
                logit = c.softcap * t, slope[size(j)] = 1 - t * t;
            }
            total += p[size(j)] = std::exp(logit);
        }
        lse[size(token * c.heads + h)] = std::log(total);
        double* o = &out[size((token * c.heads + h) * c.d)];
        for (std::int64_t j = first; j < visible; ++j)
            for (std::int64_t e = 0; e < c.d; ++e) o[e] += (p[size(j)] /= e == 0 ? total : 1.0) * v.at(key(j), kv + e);
        if (d_out == nullptr) return;
        double delta = 0;
        for (std::int64_t e = 0; e < c.d; ++e) delta += o[e] * d_out->at(token, qh + e);
        for (std::int64_t j = first; j < visible; ++j) {
            double d_p = 0;
            for (std::int64_t e = 0; e < c.d; ++e) d_p += static_cast<double>(d_out->at(token, qh + e)) * v.at(key(j), kv + e);
            const double d_s = p[size(j)] * (d_p - delta) * slope[size(j)] * c.scale();
            for (std::int64_t e = 0; e < c.d; ++e) {
                const std::size_t at_q = size((token * c.heads + h) * c.d + e), at_k = size(key(j) * c.kv_heads * c.d + kv + e);
                d_q[at_q] += d_s * k.at(key(j), kv + e);
                d_k[at_k] += d_s * q.at(token, qh + e);
                d_v[at_k] += p[size(j)] * d_out->at(token, qh + e);
            }
        }
    }
};

}  // namespace temper::test
