#include "runs/price_table.h"

#include <fnmatch.h>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/settings.h"
#include "kernels/error.h"

namespace temper {

// Not in the namespace without a name: io/settings.h looks for them beside their types.
template <class Visitor> void describe(Visitor& v, MachinePrice& price) {
    v("host", price.host, "Pattern of the host's name.", not_empty());
    v("device", price.device, "Pattern of the device: cpu, cuda, or a GPU's name.", not_empty());
    v("cpu", price.cpu, "Pattern of the processor's name.", not_empty());
    v("per_host_hour", price.per_host_hour, "Price of an hour of a host.", at_least(0));
    v("per_device_hour", price.per_device_hour, "Price of an hour of a device: a rank has one.", at_least(0));
}

template <class Visitor> void describe(Visitor& v, EndpointPrice& price) {
    v("url", price.url, "Pattern of the endpoint's address.", not_empty());
    v("model", price.model, "Pattern of the model's name there.", not_empty());
    v("prompt", price.prompt, "Price of a million tokens asked.", at_least(0));
    v("completion", price.completion, "Price of a million tokens answered.", at_least(0));
}

template <class Visitor> void describe(Visitor& v, PriceTable& table) {
    v("currency", table.currency, "Currency of all prices.", not_empty());
    v.records("machines", table.machines, "device", "Prices of time.");
    v.records("endpoints", table.endpoints, "model", "Prices of tokens.");
}

namespace {

bool fits(const std::string& pattern, const std::string& text) { return fnmatch(pattern.c_str(), text.c_str(), 0) == 0; }

double number_of(const Json& object, const char* name, double otherwise) {
    const auto at = object.find(name);
    return at != object.end() && at->is_number() ? at->get<double>() : otherwise;
}

void add_item(Json& cost, const std::string& what, double quantity, const char* unit, double price) {
    if (price <= 0 || quantity <= 0) return;
    cost["items"].push_back({{"what", what}, {"quantity", quantity}, {"unit", unit}, {"price", price}, {"amount", quantity * price}});
    cost["amount"] = cost["amount"].get<double>() + quantity * price;
}

}  // namespace

PriceTable PriceTable::load(const std::filesystem::path& path) {
    PriceTable table;
    Fields fields;
    describe(fields, table);
    Settings settings(fields);
    const std::string text = read_file(path, std::size_t(1) << 20);
    settings.apply_yaml(text, path.string());
    table.sha256 = sha256_hex(text);
    return table;
}

Json PriceTable::cost_of(const Json& record, double seconds) const {
    Json cost{{"amount", 0.0}, {"currency", currency}, {"price_table", sha256}, {"items", Json::array()}};
    const Json environment = record.value("environment", Json::object());
    const std::string host = member_text(environment, "host"), device = member_text(environment, "device"),
                      name = member_text(environment, "device_name");
    for (const MachinePrice& price : machines) {
        if (!fits(price.host, host) || !fits(price.cpu, member_text(environment, "cpu"))) continue;
        if (!fits(price.device, device) && (name.empty() || !fits(price.device, name))) continue;
        const double hours = seconds / 3600.0;
        add_item(cost, host, hours * number_of(environment, "hosts", 1), "host hour", price.per_host_hour);
        add_item(cost, name.empty() ? device : name, hours * number_of(environment, "ranks", 1), "device hour", price.per_device_hour);
        break;
    }
    for (const Json& use : record.value("usage", Json::array())) {
        const std::string url = member_text(use, "endpoint"), model = member_text(use, "model");
        for (const EndpointPrice& price : endpoints) {
            if (!fits(price.url, url) || !fits(price.model, model)) continue;
            add_item(cost, model, number_of(use, "prompt_tokens", 0) / 1e6, "million prompt tokens", price.prompt);
            add_item(cost, model, number_of(use, "completion_tokens", 0) / 1e6, "million completion tokens", price.completion);
            break;
        }
    }
    return cost["items"].empty() ? Json::object() : cost;
}

}  // namespace temper
