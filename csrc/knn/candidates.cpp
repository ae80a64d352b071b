#include "candidates.h"

#include <algorithm>

namespace gantk::knn {

namespace {

uint64_t whole(int32_t limit) { return static_cast<uint64_t>(static_cast<uint32_t>(limit)) << 32 | UINT32_MAX; }

}  // namespace

Candidates::Candidates(const Points& queries, int64_t references, int k, int capacity, bool exclude_self,
                       const Screen& screen)
    : queries_(queries), k_(static_cast<uint32_t>(k)),
      capacity_(static_cast<uint32_t>(std::min<int64_t>(capacity, references + 1))), exclude_self_(exclude_self),
      screen_(screen), keys_(new uint64_t[static_cast<size_t>(queries.count) * capacity_]),
      counts_(static_cast<size_t>(queries.count), 0), bounds_(static_cast<size_t>(queries.count), whole(INT_MAX)),
      limits_(new std::atomic<int32_t>[static_cast<size_t>(queries.count)]) {
    for (int64_t query = 0; query < queries.count; ++query) limits_[query].store(INT_MAX, std::memory_order_relaxed);
}

void Candidates::set_limit(int64_t query, int32_t limit) {
    limits_[query].store(limit, std::memory_order_relaxed);
    bounds_[query] = whole(limit);
}

void Candidates::keep_within(int64_t query, int32_t limit) {
    if (limit >= this->limit(query)) return;
    set_limit(query, limit);
    uint64_t *const first = keys_of(query), *const last = first + counts_[query];
    counts_[query] = static_cast<uint32_t>(
        std::remove_if(first, last, [bound = bounds_[query]](uint64_t key) { return key > bound; }) - first);
}

void Candidates::compact(int64_t query) {
    uint64_t* const keys = keys_of(query);
    std::nth_element(keys, keys + k_ - 1, keys + counts_[query]);
    const uint64_t last = keys[k_ - 1];
    if (screen_.exact()) {
        counts_[query] = k_;
        bounds_[query] = last;
        limits_[query].store(static_cast<int32_t>(last >> 32), std::memory_order_relaxed);
        return;
    }
    keep_within(query, screen_.limit_after(static_cast<int32_t>(last >> 32), queries_.index(query)));
    if (counts_[query] <= capacity_ - capacity_ / 8) return;
    std::vector<Measured> nearest;
    measure_nearest_screens(query, nearest);
    if (counts_[query] <= capacity_ - capacity_ / 8) return;
    // Too many references have similar screens: measure all of them.
    nearest.clear();
    measure(query, 0, nearest);
    std::nth_element(nearest.begin(), nearest.begin() + (k_ - 1), nearest.end());
    const double squared = nearest[k_ - 1].squared;
    nearest.resize(k_);
    std::vector<uint32_t> references;
    for (const Measured& one : nearest) references.push_back(one.reference);
    std::sort(references.begin(), references.end());
    uint64_t* const end = std::remove_if(keys, keys + counts_[query], [&](uint64_t key) {
        return !std::binary_search(references.begin(), references.end(), static_cast<uint32_t>(key));
    });
    counts_[query] = static_cast<uint32_t>(end - keys);
    const int32_t proven = screen_.limit_proven(squared, queries_.index(query));
    if (proven < limit(query)) set_limit(query, proven);
}

void Candidates::measure(int64_t query, uint32_t first, std::vector<Measured>& all) {
    const uint32_t own = queries_.index(query);
    const uint64_t* const keys = keys_of(query);
    for (uint32_t i = first; i < counts_[query]; ++i) {
        const auto reference = static_cast<uint32_t>(keys[i]);
        if (i + 1 < counts_[query]) screen_.prefetch(static_cast<uint32_t>(keys[i + 1]));
        all.push_back({screen_.squared_distance(own, reference), reference});
    }
}

void Candidates::measure_nearest_screens(int64_t query, std::vector<Measured>& all) {
    uint64_t* const keys = keys_of(query);
    const uint32_t count = counts_[query];
    std::nth_element(keys, keys + k_ - 1, keys + count);
    counts_[query] = k_;
    measure(query, 0, all);
    counts_[query] = count;
    keep_within(query, screen_.limit_proven(std::max_element(all.begin(), all.end())->squared, queries_.index(query)));
}

bool Candidates::finish(int64_t query, double* squared, int64_t* indices) {
    uint64_t* const keys = keys_of(query);
    const uint32_t count = counts_[query];
    if (screen_.exact()) {
        if (count < k_) return false;
        std::nth_element(keys, keys + k_ - 1, keys + count);
        std::sort(keys, keys + k_);
        for (uint32_t i = 0; i < k_; ++i) {
            squared[i] = static_cast<double>(keys[i] >> 32);
            if (indices) indices[i] = static_cast<int64_t>(keys[i] & UINT32_MAX);
        }
        return true;
    }
    const uint32_t own = queries_.index(query);
    std::vector<Measured> nearest;
    nearest.reserve(count + screen_.unscreened.size());
    uint32_t seen = 0;
    if (count > k_) {
        measure_nearest_screens(query, nearest);
        seen = k_;
    }
    measure(query, seen, nearest);
    for (const uint32_t reference : screen_.unscreened)
        if (!exclude_self_ || reference != own) nearest.push_back({screen_.squared_distance(own, reference), reference});
    if (nearest.size() < k_) return false;
    std::partial_sort(nearest.begin(), nearest.begin() + k_, nearest.end());
    if (limit(query) < screen_.limit_proven(nearest[k_ - 1].squared, own)) return false;
    for (uint32_t i = 0; i < k_; ++i) {
        squared[i] = nearest[i].squared;
        if (indices) indices[i] = nearest[i].reference;
    }
    return true;
}

}  // namespace gantk::knn
