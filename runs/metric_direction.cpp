#include "runs/metric_direction.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>
#include <vector>

#include "io/text.h"

namespace temper {
namespace {

using Names = std::set<std::string, std::less<>>;

Names names(std::string_view list) {
    const std::vector<std::string> words = comma_separated(list);
    return {words.begin(), words.end()};
}

const Names rising = names(
    "acc,accuracy,accuracies,f1,mcc,kappa,auc,auroc,auprc,em,match,matches,correct,recall,precision,hit,hits,mrr,map,miou,"
    "iou,pearson,spearman,r2,meteor,comet,bertscore,margin,margins,pass,passes,passed,success,win,wins,similarity,"
    "throughput,speed,speedup,agreement,faithfulness,relevance");
const Names rising_beginnings = names("rouge,bleu,chrf,ndcg");  // rougeLsum, chrf++
const Names falling = names(
    "loss,losses,perplexity,perplexities,ppl,nll,error,errors,err,wer,cer,ter,mse,rmse,mae,mape,brier,ece,latency,"
    "latencies,ms,second,seconds,runtime,duration,cost,costs,energy,joules,memory,fail,fails,failed,failure,failures,miss,"
    "missed,misses,mismatch,mismatches,wrong,false,incorrect,inaccuracy,hallucination,hallucinations,hallucinated,toxic,"
    "toxicity,harm,harmful,violation,violations,jailbreak,jailbreaks,bypass,attack,attacks,crash,crashes");
// They stand behind what is measured, and say how.
const Names shares = names("rate,ratio,fraction,share,percent,percentage,pct");
const Names plain = names(
    "score,scores,value,mean,avg,average,median,macro,micro,weighted,binary,norm,normalized,bytes,mutual,info,total,sum,"
    "overall,all,final,last,best,min,max,test,dev,val,valid,train,training,validation,eval,evaluation,heldout,step,epoch,"
    "none,strict,flexible,count,raw,k,p,l,lsum");
const Names prepositions = names("of,on,in,for,at,to,by,per,with,vs,against,from,over,under");
const Names negations = names("no,not,non,without,neg,negative,inverse,inv,minus,anti");
const Names spans = names("second,seconds,sec,s,minute,hour");
const Names counted = names("tokens,samples,steps,flops,rows,requests,documents,queries,texts,pairs,bytes");

int direction_of_word(const std::string& word) {
    if (rising.contains(word)) return 1;
    if (falling.contains(word)) return -1;
    return std::any_of(rising_beginnings.begin(), rising_beginnings.end(), [&](const std::string& start) { return word.starts_with(start); }) ? 1 : 0;
}

// recall5 is recall; f1 is a word of its own.
std::string plain_word(std::string_view text) {
    std::string word = ascii_lower(text);
    while (direction_of_word(word) == 0 && !word.empty() && std::isdigit(static_cast<unsigned char>(word.back())) != 0) word.pop_back();
    return word;
}

// eval_rougeL and evalLoss: a piece that is no word as a whole ends where a capital follows a small letter.
std::vector<std::string> words_of(std::string_view name) {
    std::vector<std::string> words;
    const auto add = [&](std::string_view piece) {
        if (std::string word = plain_word(piece); !word.empty()) words.push_back(std::move(word));
    };
    const auto is = [&](std::size_t at, auto kind) { return kind(static_cast<unsigned char>(name[at])) != 0; };
    for (std::size_t begin = 0, end = 0; begin < name.size(); begin = end + 1) {
        for (end = begin; end < name.size() && is(end, [](int c) { return std::isalnum(c); });) ++end;
        const std::string_view piece = name.substr(begin, end - begin);
        if (direction_of_word(plain_word(piece)) != 0) {
            add(piece);
            continue;
        }
        std::size_t from = begin;
        for (std::size_t i = begin + 1; i < end; ++i)
            if (is(i, [](int c) { return std::isupper(c); }) && is(i - 1, [](int c) { return std::islower(c); })) {
                add(name.substr(from, i - from));
                from = i;
            }
        add(name.substr(from, end - from));
    }
    return words;
}

bool has(const std::vector<std::string>& words, const Names& names) {
    return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return names.contains(word); });
}

// tokens_per_second
bool is_throughput(const std::vector<std::string>& words) {
    for (std::size_t i = 1; i + 1 < words.size(); ++i)
        if (words[i] == "per" && counted.contains(words[i - 1]) && spans.contains(words[i + 1])) return true;
    return false;
}

int direction_of_words(std::vector<std::string> words) {
    if (is_throughput(words)) return 1;
    const auto cut = std::find_if(words.begin() + (words.empty() ? 0 : 1), words.end(), [](const auto& word) { return prepositions.contains(word); });
    words.erase(cut, words.end());
    bool is_share = false;
    for (; !words.empty() && (shares.contains(words.back()) || plain.contains(words.back())); words.pop_back())
        is_share = is_share || shares.contains(words.back());
    if (is_share && has(words, {"false"}) && !has(words, {"true"})) return -1;  // false_acceptance_rate, false_negative_rate
    if (words.empty() || has(words, negations)) return 0;
    const int head = direction_of_word(words.back());
    const bool opposed = std::any_of(words.begin(), words.end(), [&](const std::string& word) { return direction_of_word(word) == -head; });
    // An accuracy_loss is a loss; an error_recall and an attack_success_rate are what their makers mean.
    return opposed && (head > 0 || is_share) ? 0 : head;
}

}  // namespace

int metric_direction(const std::string& metric) {
    const std::size_t comma = metric.rfind(',');
    const std::string_view name = std::string_view(metric).substr(0, comma), filter = std::string_view(metric).substr(name.size());
    // Checks and judges of an evaluation set have names of their own, which say nothing.
    if (name.find("/check/") != std::string_view::npos) return filter == ",none" ? 1 : 0;
    if (const std::size_t judge = name.rfind("/judge/"); judge != std::string_view::npos) {
        const std::string_view kind = name.substr(judge + 7);
        if (kind == "hallucination") return -1;
        return kind == "faithfulness" || kind == "relevance" || kind == "preference" || kind == "score" ? 1 : 0;
    }
    const auto ends = [&](std::string_view with) { return name.ends_with(with); };
    if (ends("bits_per_byte") || ends("cost.amount")) return -1;
    if (ends("share_of_peak") || ends("json_fields")) return 1;
    const std::size_t part = name.find_last_of("/.");
    return direction_of_words(words_of(name.substr(part == std::string_view::npos ? 0 : part + 1)));
}

}  // namespace temper
