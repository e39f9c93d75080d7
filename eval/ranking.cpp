// Metrics of what was retrieved for labelled queries: rows {"retrieved": [ids, best first], "relevant": [ids] or {id: gain}}.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "eval/metric_families.h"
#include "kernels/error.h"

namespace temper {
namespace {

struct Ranking {
    std::vector<double> gains;  // of what was retrieved, in order; 0: not relevant
    std::vector<double> ideal;  // of all that is relevant, the largest first
};

std::string id_of(const Json& id, const TextRow& row, const char* field) {
    if (id.is_string()) return id.get<std::string>();
    if (id.is_number_integer()) return id.dump();
    throw_error(ExitCode::bad_data, "{}: field '{}': expected ids, found {}", row.place, field, id.dump());
}

Ranking ranking_of(const TextRow& row) {
    const Json& fields = *row.row;
    if (!fields.contains("retrieved") || !fields["retrieved"].is_array() || !fields.contains("relevant"))
        throw_error(ExitCode::bad_data, "{}: rows of rankings are {{\"retrieved\": [ids], \"relevant\": [ids] or {{id: gain}}}}", row.place);
    std::map<std::string, double> relevant;
    if (fields["relevant"].is_array())
        for (const Json& id : fields["relevant"]) relevant[id_of(id, row, "relevant")] = 1.0;
    else if (fields["relevant"].is_object())
        for (const auto& [id, gain] : fields["relevant"].items()) {
            if (!gain.is_number() || gain.get<double>() < 0.0)
                throw_error(ExitCode::bad_data, "{}: field 'relevant': {} has the gain {}", row.place, id, gain.dump());
            if (gain.get<double>() > 0.0) relevant[id] = gain.get<double>();
        }
    if (relevant.empty())
        throw_error(ExitCode::bad_data, "{}: nothing is relevant: a query without an answer says nothing about a ranking", row.place);
    Ranking ranking;
    std::set<std::string> seen;
    for (const Json& id : fields["retrieved"]) {
        const std::string name = id_of(id, row, "retrieved");
        if (!seen.insert(name).second) throw_error(ExitCode::bad_data, "{}: field 'retrieved' has {} twice", row.place, name);
        const auto found = relevant.find(name);
        ranking.gains.push_back(found == relevant.end() ? 0.0 : found->second);
    }
    for (const auto& [id, gain] : relevant) ranking.ideal.push_back(gain);
    std::sort(ranking.ideal.rbegin(), ranking.ideal.rend());
    return ranking;
}

double hits(const Ranking& ranking, std::size_t k) {
    return static_cast<double>(std::count_if(ranking.gains.begin(),
                                             ranking.gains.begin() + static_cast<std::ptrdiff_t>(std::min(k, ranking.gains.size())),
                                             [](double gain) { return gain > 0.0; }));
}
double recall(const Ranking& ranking, std::size_t k) { return hits(ranking, k) / static_cast<double>(ranking.ideal.size()); }
double precision(const Ranking& ranking, std::size_t k) { return hits(ranking, k) / static_cast<double>(k); }
double hit(const Ranking& ranking, std::size_t k) { return hits(ranking, k) > 0.0 ? 1.0 : 0.0; }
double reciprocal_rank(const Ranking& ranking, std::size_t k) {
    for (std::size_t i = 0; i < std::min(k, ranking.gains.size()); ++i)
        if (ranking.gains[i] > 0.0) return 1.0 / static_cast<double>(i + 1);
    return 0.0;
}
// Mean over what was found of the precision down to it: over all that is relevant (MAP), or over what was found (RAGAS' context precision).
double mean_precision(const Ranking& ranking, std::size_t k, double of) {
    double found = 0.0, sum = 0.0;
    for (std::size_t i = 0; i < std::min(k, ranking.gains.size()); ++i)
        if (ranking.gains[i] > 0.0) sum += ++found / static_cast<double>(i + 1);
    return of == 0.0 ? 0.0 : sum / of;
}
double average_precision(const Ranking& ranking, std::size_t k) {
    return mean_precision(ranking, k, static_cast<double>(std::min(k, ranking.ideal.size())));
}
double context_precision(const Ranking& ranking, std::size_t k) { return mean_precision(ranking, k, hits(ranking, k)); }

double discounted(const std::vector<double>& gains, std::size_t k) {
    double sum = 0.0;
    for (std::size_t i = 0; i < std::min(k, gains.size()); ++i) sum += gains[i] / std::log2(static_cast<double>(i) + 2.0);
    return sum;
}
double ndcg(const Ranking& ranking, std::size_t k) {
    return discounted(ranking.gains, k) / discounted(ranking.ideal, k);
}  // [Järvelin & Kekäläinen 2002]

using Function = double (*)(const Ranking& ranking, std::size_t k);

class RankingMetric : public MeanMetric {
  public:
    RankingMetric(std::string name, Function function, std::size_t k) : name_(std::move(name)), function_(function), k_(k) {}
    std::string name() const override { return name_; }
    bool of_texts() const override { return false; }

  protected:
    double score(const TextRow& row) const override { return function_(ranking_of(row), k_); }

  private:
    std::string name_;
    Function function_;
    std::size_t k_;
};

}  // namespace

std::unique_ptr<TextMetric> make_ranking(const std::string& name, const MetricOptions&) {
    struct Known {
        Function function;
        bool needs_k;
    };
    static const std::map<std::string, Known> known{{"recall", {recall, true}},
                                                    {"precision", {precision, true}},
                                                    {"hit", {hit, true}},
                                                    {"mrr", {reciprocal_rank, false}},
                                                    {"map", {average_precision, false}},
                                                    {"ndcg", {ndcg, false}},
                                                    {"context_precision", {context_precision, false}}};
    const std::size_t at = name.find('@');
    const auto found = known.find(name.substr(0, at));
    if (found == known.end()) return nullptr;
    std::size_t k = std::size_t(1) << 40;
    if (at != std::string::npos) {
        const std::string digits = name.substr(at + 1);
        if (digits.empty() || digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string::npos || digits[0] == '0') return nullptr;
        k = std::stoul(digits);
    } else if (found->second.needs_k) {
        return nullptr;
    }
    return std::make_unique<RankingMetric>(name, found->second.function, k);
}

}  // namespace temper
