// Each query's nearest references so far: a bounded list, and the limit that a further reference must not exceed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "screen.h"

namespace gantk::knn {

// Points by position: row order[position] of the data, or row `position` without an order.
struct Points {
    const uint8_t* data;
    int64_t count;
    int64_t dim;
    const uint32_t* order;
    uint32_t index(int64_t position) const { return order ? order[position] : static_cast<uint32_t>(position); }
    const uint8_t* row(int64_t position) const { return data + static_cast<size_t>(index(position)) * dim; }
};

class Candidates {
  public:
    // `exclude_self`: a point is not its own neighbor.
    Candidates(const Points& queries, int64_t references, int k, int capacity, bool exclude_self, const Screen& screen);

    int32_t limit(int64_t query) const { return limits_[query].load(std::memory_order_relaxed); }
    void set_limit(int64_t query, int32_t limit);

    // Not thread-safe for the same query.
    void add(int64_t query, int32_t screen, uint32_t reference) {
        const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(screen < 0 ? 0 : screen)) << 32 | reference;
        if (key > bounds_[query] || (exclude_self_ && queries_.index(query) == reference)) return;
        if (!screen_.outside.empty() && screen_.outside[reference]) return;
        uint64_t* const keys = keys_of(query);
        keys[counts_[query]++] = key;
        if (counts_[query] == capacity_) compact(query);
    }

    // Writes the k nearest: squared distances, ascending, ties by ascending index. Returns false if fewer than k were found,
    // or if the guessed limit may have excluded one.
    bool finish(int64_t query, double* squared, int64_t* indices);

  private:
    struct Measured {
        double squared;
        uint32_t reference;
        bool operator<(const Measured& other) const {
            return squared != other.squared ? squared < other.squared : reference < other.reference;
        }
    };
    uint64_t* keys_of(int64_t query) { return keys_.get() + static_cast<size_t>(query) * capacity_; }
    void compact(int64_t query);
    void keep_within(int64_t query, int32_t limit);
    void measure(int64_t query, uint32_t first, std::vector<Measured>& all);
    // Moves the k references with the smallest screens to the front and measures them; their distances lower the limit.
    void measure_nearest_screens(int64_t query, std::vector<Measured>& all);

    Points queries_;
    uint32_t k_, capacity_;
    bool exclude_self_;
    const Screen& screen_;
    std::unique_ptr<uint64_t[]> keys_;  // screen << 32 | reference
    std::vector<uint32_t> counts_;
    std::vector<uint64_t> bounds_;  // the limit; with exact screens, also the index of the last reference kept
    std::unique_ptr<std::atomic<int32_t>[]> limits_;
};

}  // namespace gantk::knn
