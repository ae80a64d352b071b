// The search. A sample of the references gives each query a limit on its distances; then every pair is multiplied once,
// and the few pairs within a limit are added to the queries' lists. In a self-search, one product serves both points.
#include "search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <numeric>
#include <random>

#include "../parallel.h"
#include "packed.h"

namespace gantk::knn {

namespace {

constexpr int32_t nobody = -2;  // below every screen; shifted screens can be as low as −1
constexpr int slice_bytes = 1024, panel_multiple = 96;  // 96: a multiple of every kernel's rows and columns
constexpr size_t hits_capacity = 16384;

Cut cut_for(const Task& task) {
    const int64_t padded = (task.dim + 63) / 64 * 64;
    const Scale scale = scale_of(task.dim);
    const int depth = static_cast<int>((padded + scale.slices - 1) / scale.slices + 63) / 64 * 64;
    int64_t block = task.block > 0 ? task.block : scale.slices == 1 ? 768 : 384;
    block = std::min(block, task.count / (4 * task.threads));  // enough blocks for every thread
    block = std::max<int64_t>((block + panel_multiple - 1) / panel_multiple, 1) * panel_multiple;
    return {depth, scale.slices, scale.shift, static_cast<int>(block)};
}

// One thread's buffers: a packed block of columns, and the limits and hits of the current tile.
struct Workspace {
    Workspace(const Kernel& kernel, const Cut& cut)
        : pack(cut, kernel.columns, kernel.pack_columns), panel_bytes(kernel.column_panel_bytes(cut.depth)),
          slice_stride(panel_bytes * (cut.block / kernel.columns)), columns(aligned<uint8_t>(slice_stride * cut.slices)),
          tile_size(static_cast<size_t>(kernel.rows) * kernel.columns), tile(aligned<int32_t>(tile_size)),
          sums(cut.slices > 1 ? aligned<int32_t>(static_cast<size_t>(cut.block) * cut.block) : nullptr),
          row_side(cut.block), column_side(cut.block), of_rows(hits_capacity + tile_size),
          of_columns(hits_capacity + tile_size) {}

    struct Limits {
        std::vector<int32_t> limit, bar;
        explicit Limits(int block) : limit(block), bar(block) {}
    };
    struct Buffer {
        std::vector<uint32_t> owner, other;
        std::vector<int32_t> distance;
        Hits hits;
        explicit Buffer(size_t size)
            : owner(size), other(size), distance(size), hits{owner.data(), other.data(), distance.data(), 0} {}
    };

    Packer pack;
    size_t panel_bytes, slice_stride;
    Aligned<uint8_t> columns;
    size_t tile_size;
    Aligned<int32_t> tile, sums;
    Limits row_side, column_side;
    Buffer of_rows, of_columns;
};

// Reports progress to the caller ten times a second; the caller can end the search by throwing.
class Progress {
  public:
    Progress(const Poll& poll, double total) : poll_(poll), total_(total), next_(Clock::now() + interval) {}
    void add(double amount) {
        double done = done_.load(std::memory_order_relaxed);
        while (!done_.compare_exchange_weak(done, done + amount, std::memory_order_relaxed)) {
        }
    }
    // Only thread 0, the caller's, may report: the callback runs Python code.
    bool due(int thread) const { return thread == 0 && poll_ && Clock::now() >= next_; }
    void tell() {
        poll_(std::min(done_.load(std::memory_order_relaxed) / total_, 1.0));
        next_ = Clock::now() + interval;
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds interval{100};
    const Poll& poll_;
    double total_;
    std::atomic<double> done_{0};
    Clock::time_point next_;
};

class Search {
  public:
    Search(const Kernel& kernel, const Task& task, const Screen& screen, const Poll& poll)
        : kernel_(kernel), task_(task), screen_(screen), cut_(cut_for(task)), order_(shuffled(task.count)),
          references_{task.references, task.count, task.dim, order_.data()}, norms_(references_, cut_, task.threads),
          row_panel_bytes_(kernel.row_panel_bytes(cut_.depth)),
          row_panels_(blocks_of(task.count, cut_.block) * (cut_.block / kernel.rows)),
          rows_(aligned<uint8_t>(row_panel_bytes_ * row_panels_ * cut_.slices)),
          progress_(poll, task.queries ? double(task.query_count) * task.count : 0.5 * task.count * task.count),
          guards_(blocks_of(task.count, cut_.block)) {
        for (int thread = 0; thread < task.threads; ++thread) workspaces_.emplace_back(kernel, cut_);
        pack_rows();
    }

    void run(double* distances, int64_t* indices) {
        const bool own = task_.queries == nullptr;
        const Points queries = own ? references_ : Points{task_.queries, task_.query_count, task_.dim, nullptr};
        std::vector<uint32_t> again = nearest(queries, own, own, true, distances, indices);
        if (again.empty()) return;
        // For these few, the sample's limit was too low.
        const Points rest{queries.data, static_cast<int64_t>(again.size()), task_.dim, again.data()};
        if (!nearest(rest, own, false, false, distances, indices).empty())
            throw std::logic_error("the search lost a neighbor: this is a fault of gantk's");
    }

  private:
    // Returns the indices of the queries whose limits were guessed too low.
    std::vector<uint32_t> nearest(const Points& queries, bool exclude_self, bool symmetric, bool guess, double* distances,
                                  int64_t* indices) {
        const Norms apart(symmetric ? Points{nullptr, 0, 0, nullptr} : queries, cut_, task_.threads);
        const Norms& norms = symmetric ? norms_ : apart;
        Candidates candidates(queries, task_.count, task_.k, task_.capacity, exclude_self, screen_);
        if (guess) guess_limits(queries, norms, symmetric, candidates);
        visit_pairs(queries, norms, symmetric, candidates);
        std::vector<uint8_t> found(queries.count);
        constexpr int64_t share = 256;
        parallel_for(task_.threads, blocks_of(queries.count, share), [&](int64_t part, int thread) {
            for (int64_t q = part * share; q < std::min(queries.count, (part + 1) * share); ++q) {
                const size_t at = static_cast<size_t>(queries.index(q)) * task_.k;
                found[q] = candidates.finish(q, distances + at, indices ? indices + at : nullptr);
                // Not torch's, which may take the root from a library whose roots are not all correctly rounded.
                for (int i = 0; found[q] && i < task_.k; ++i) distances[at + i] = std::sqrt(distances[at + i]);
            }
            if (progress_.due(thread)) progress_.tell();
        });
        std::vector<uint32_t> again;
        for (int64_t q = 0; q < queries.count; ++q)
            if (!found[q]) again.push_back(queries.index(q));
        return again;
    }

    // In random order, the first references are a fair sample even if the data is sorted.
    static std::vector<uint32_t> shuffled(int64_t count) {
        std::vector<uint32_t> order(count);
        std::iota(order.begin(), order.end(), 0u);
        std::mt19937_64 random(0);
        for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
        return order;
    }

    void pack_rows() {
        const size_t slice_stride = row_panel_bytes_ * row_panels_;
        parallel_for(task_.threads, blocks_of(row_panels_, 16), [&](int64_t part, int) {
            Packer pack(cut_, kernel_.rows, kernel_.pack_rows);
            for (int64_t panel = part * 16; panel < std::min<int64_t>(row_panels_, (part + 1) * 16); ++panel)
                pack(references_, panel * kernel_.rows, rows_.get() + panel * row_panel_bytes_, slice_stride);
        });
    }

    void pack_columns(const Points& queries, int64_t block, Workspace& work) {
        for (int panel = 0; panel < cut_.block / kernel_.columns; ++panel)
            work.pack(queries, block * cut_.block + panel * kernel_.columns, work.columns.get() + panel * work.panel_bytes,
                      work.slice_stride);
    }

    // Calls visit(products, first row, first column) for each tile of a block of references with the packed columns. On
    // the diagonal, tiles without a pair with column > row are skipped.
    template <typename Visit>
    void multiply(int64_t block, int rows, bool diagonal, Workspace& work, Visit&& visit) {
        const int row_panels = (rows + kernel_.rows - 1) / kernel_.rows;
        for (int slice = 0; slice < cut_.slices; ++slice) {
            const uint8_t* const first_row_panel =
                rows_.get() + (slice * row_panels_ + block * (cut_.block / kernel_.rows)) * row_panel_bytes_;
            const uint8_t* column_panel = work.columns.get() + slice * work.slice_stride;
            // The column panel, the larger one, stays in the L1 cache.
            for (int column = 0; column < cut_.block; column += kernel_.columns, column_panel += work.panel_bytes) {
                const uint8_t* row_panel = first_row_panel;
                for (int panel = 0; panel < row_panels; ++panel, row_panel += row_panel_bytes_) {
                    const int row = panel * kernel_.rows;
                    if (diagonal && column + kernel_.columns <= row + 1) break;
                    int32_t* products = work.tile.get();
                    if (cut_.slices > 1)
                        products = work.sums.get() + (column / kernel_.columns * row_panels + panel) * work.tile_size;
                    if (cut_.shift == 0) {
                        kernel_.multiply(row_panel, column_panel, cut_.depth, products, slice > 0);
                    } else {
                        kernel_.multiply(row_panel, column_panel, cut_.depth, work.tile.get(), false);
                        for (size_t i = 0; i < work.tile_size; ++i)
                            products[i] = (slice > 0 ? products[i] : 0) + (work.tile[i] >> cut_.shift);
                    }
                    if (slice + 1 == cut_.slices) visit(products, row, column);
                }
            }
        }
    }

    // Guesses each query's limit from a sample of the references; `finish` checks the guess.
    void guess_limits(const Points& queries, const Norms& norms, bool symmetric, Candidates& candidates) {
        const int64_t sample = task_.sample;
        const int ranks = task_.rank;
        if (ranks == 0) return;
        parallel_for(task_.threads, blocks_of(queries.count, cut_.block), [&](int64_t columns, int thread) {
            Workspace& work = workspaces_[thread];
            const size_t stride = cut_.block;
            std::vector<int32_t> smallest(stride * ranks, INT_MAX);
            kernel_.enter();
            pack_columns(queries, columns, work);
            for (int64_t rows = 0; rows * cut_.block < sample; ++rows) {
                const int64_t first = rows * cut_.block, last = std::min<int64_t>(sample, first + cut_.block);
                multiply(rows, static_cast<int>(last - first), false, work, [&](const int32_t* products, int row, int column) {
                    const int64_t at = first + row, to = columns * cut_.block + column;
                    kernel_.keep_smallest(products, norms_.norm.data() + at, norms.norm.data() + to,
                                          static_cast<int>(std::min<int64_t>(kernel_.rows, last - at)),
                                          symmetric ? to - at : INT_MIN, ranks, stride, smallest.data() + column);
                });
            }
            kernel_.leave();
            for (int64_t i = 0; i < cut_.block && columns * cut_.block + i < queries.count; ++i) {
                const int64_t query = columns * cut_.block + i;
                const int32_t screen = smallest[stride * (ranks - 1) + i];
                if (screen < INT_MAX) candidates.set_limit(query, screen_.limit_after(screen, queries.index(query)));
            }
            if (progress_.due(thread)) progress_.tell();
        });
    }

    struct Stretch {
        int64_t columns, first_rows, last_rows;
    };

    std::vector<Stretch> stretches(int64_t query_blocks, bool symmetric) const {
        const int64_t reference_blocks = blocks_of(task_.count, cut_.block);
        const int64_t length = std::max<int64_t>(8, query_blocks * reference_blocks / (16 * task_.threads));
        std::vector<Stretch> all;
        for (int64_t columns = query_blocks; columns-- > 0;) {
            const int64_t end = symmetric ? columns + 1 : reference_blocks;
            for (int64_t first = 0; first < end; first += length)
                all.push_back({columns, first, std::min(first + length, end)});
        }
        return all;
    }

    void visit_pairs(const Points& queries, const Norms& norms, bool symmetric, Candidates& candidates) {
        const std::vector<Stretch> all = stretches(blocks_of(queries.count, cut_.block), symmetric);
        std::vector<std::mutex> query_guards(symmetric ? 0 : blocks_of(queries.count, cut_.block));
        std::vector<std::mutex>& guards = symmetric ? guards_ : query_guards;
        parallel_for(task_.threads, static_cast<int64_t>(all.size()), [&](int64_t at, int thread) {
            const Stretch& stretch = all[at];
            Workspace& work = workspaces_[thread];
            pack_columns(queries, stretch.columns, work);
            try {
                for (int64_t rows = stretch.first_rows; rows < stretch.last_rows; ++rows) {
                    if (stop_.load(std::memory_order_relaxed)) return;
                    kernel_.enter();  // again for each block: the progress callback may use AMX tiles as well
                    visit_block(rows, stretch.columns, queries.count, norms, symmetric, candidates, guards, work);
                    kernel_.leave();
                    progress_.add(static_cast<double>(cut_.block) * cut_.block);
                    if (progress_.due(thread)) progress_.tell();
                }
            } catch (...) {
                stop_.store(true, std::memory_order_relaxed);
                throw;
            }
        });
    }

    void visit_block(int64_t rows, int64_t columns, int64_t query_count, const Norms& norms, bool symmetric,
                     Candidates& candidates, std::vector<std::mutex>& guards, Workspace& work) {
        const int64_t row_first = rows * cut_.block, column_first = columns * cut_.block;
        const int64_t row_count = std::min<int64_t>(cut_.block, task_.count - row_first);
        const bool diagonal = symmetric && rows == columns;
        look_up(symmetric ? &candidates : nullptr, norms_, row_first, task_.count, work.row_side);
        look_up(&candidates, norms, column_first, query_count, work.column_side);
        const auto flush = [&](Hits& hits, int64_t owners, int64_t others, int64_t block) {
            if (hits.count == 0) return;
            const std::lock_guard<std::mutex> lock(guards[block]);
            for (size_t i = 0; i < hits.count; ++i)
                if (const int64_t other = others + hits.other[i]; other < task_.count)
                    candidates.add(owners + hits.owner[i], hits.distance[i], order_[other]);
            hits.count = 0;
        };
        multiply(rows, static_cast<int>(row_count), diagonal, work, [&](const int32_t* products, int row, int column) {
            kernel_.scan(products, side(norms_, row_first, work.row_side, row),
                         side(norms, column_first, work.column_side, column),
                         {static_cast<uint32_t>(row), static_cast<uint32_t>(column), diagonal}, work.of_rows.hits,
                         work.of_columns.hits);
            if (work.of_rows.hits.count > hits_capacity) flush(work.of_rows.hits, row_first, column_first, rows);
            if (work.of_columns.hits.count > hits_capacity) flush(work.of_columns.hits, column_first, row_first, columns);
        });
        flush(work.of_rows.hits, row_first, column_first, rows);
        flush(work.of_columns.hits, column_first, row_first, columns);
    }

    static Side side(const Norms& norms, int64_t first, const Workspace::Limits& limits, int at) {
        return {norms.norm.data() + first + at, norms.half.data() + first + at, limits.bar.data() + at,
                limits.limit.data() + at};
    }

    // Without candidates, and beyond the last point, no pair may pass.
    void look_up(const Candidates* candidates, const Norms& norms, int64_t first, int64_t count,
                 Workspace::Limits& limits) const {
        for (int i = 0; i < cut_.block; ++i) {
            const int32_t limit = candidates && first + i < count ? candidates->limit(first + i) : nobody;
            limits.limit[i] = limit;
            limits.bar[i] = static_cast<int32_t>((static_cast<int64_t>(norms.norm[first + i]) - limit) >> 1);
        }
    }

    const Kernel& kernel_;
    const Task& task_;
    const Screen& screen_;
    Cut cut_;
    std::vector<uint32_t> order_;
    Points references_;
    Norms norms_;
    size_t row_panel_bytes_;
    int64_t row_panels_;
    Aligned<uint8_t> rows_;  // [slice][panel]
    std::vector<Workspace> workspaces_;
    Progress progress_;
    std::vector<std::mutex> guards_;
    std::atomic<bool> stop_{false};
};

}  // namespace

Norms::Norms(const Points& points, const Cut& cut, int threads)
    : norm(blocks_of(points.count, cut.block) * cut.block), half(norm.size()) {
    constexpr int64_t share = 1024;
    parallel_for(threads, blocks_of(points.count, share), [&](int64_t part, int) {
        for (int64_t i = part * share; i < std::min(points.count, (part + 1) * share); ++i) {
            const uint8_t* const row = points.row(i);
            uint64_t sum = 0;
            for (int64_t k = 0; k < points.dim; ++k) sum += static_cast<uint32_t>(row[k]) * row[k];
            norm[i] = static_cast<int32_t>(sum >> cut.shift);
            half[i] = norm[i] >> 1;
        }
    });
}

Scale scale_of(int64_t dim) {
    int shift = 0;
    const int64_t slices = (dim + slice_bytes - 1) / slice_bytes;
    while ((dim * 255 * 255 >> shift) + (shift ? 2 * slices : 0) > INT_MAX) ++shift;
    return {shift, static_cast<int>(slices)};
}

void search(const Kernel& kernel, const Task& task, const Screen& screen, const Poll& poll, double* distances,
            int64_t* indices) {
    Search(kernel, task, screen, poll).run(distances, indices);
}

}  // namespace gantk::knn
