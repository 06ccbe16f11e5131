// SPDX-License-Identifier: PostgreSQL
//
// All metrics of one name, on their way to prometheus-cpp.
#pragma once

#include "proxy/stats.hpp"

#include <prometheus/metric_family.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace rolegate::proxy
{

using families = std::vector<prometheus::MetricFamily>;

class metric_family
{
public:
    using label_list = std::vector<prometheus::ClientMetric::Label>;

    // `prefix` is "" for the names that all exporters share.
    metric_family(
        prometheus::MetricType type,
        const char* name,
        const char* help,
        const char* prefix = "rolegate_"
    )
    {
        value_.name = std::string(prefix) + name;
        value_.help = help;
        value_.type = type;
    }

    void add(label_list labels, double value)
    {
        auto& m = append(std::move(labels));
        m.counter.value = value; // the serializer reads the one that fits the type
        m.gauge.value = value;
    }

    void add(label_list labels, std::uint64_t value)
    {
        add(std::move(labels), static_cast<double>(value));
    }

    void add(label_list labels, const histogram& h)
    {
        auto& out = append(std::move(labels)).histogram;
        for (std::size_t i = 0; i < h.counts.size(); ++i)
        {
            out.sample_count += h.counts[i];
            const auto bound = i < duration_buckets.size()
                                   ? duration_buckets[i]
                                   : std::numeric_limits<double>::infinity();
            out.bucket.push_back({out.sample_count, bound});
        }
        out.sample_sum = h.sum;
    }

    void move_to(families& all) { all.push_back(std::move(value_)); }

private:
    prometheus::ClientMetric& append(label_list labels)
    {
        value_.metric.emplace_back().label = std::move(labels);
        return value_.metric.back();
    }

    prometheus::MetricFamily value_;
};

} // namespace rolegate::proxy
