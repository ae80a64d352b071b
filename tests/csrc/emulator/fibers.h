// CUDA's thread model on one CPU thread: every thread of a block is a fiber, and blocks run one after another.
//
// A fiber runs until it waits at a barrier or a warp-wide operation or ends; then the first that can run does, so that some
// warps are as far ahead of others as barriers let them. A run is deterministic. Two environment variables, read at every
// launch, vary what the hardware leaves open, and a test should run under several of them:
//   GANTK_EMULATOR_ORDER=forward (default) | reverse | a number (seed of a shuffled order)
//       who is first among the threads of a block; a missing __syncthreads() shows as a result that depends on it.
//   GANTK_EMULATOR_COPIES=late (default) | early
//       asynchronous copies land when they are waited for (shows a missing wait), or when they are issued (shows a
//       buffer that is written while others still read it).
// Shared memory is filled with 0xA5 before every block when it is dynamic; static shared memory keeps the last block's.
#pragma once
#include <ucontext.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

struct uint3 {
    unsigned x, y, z;
};

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

// Those of the fiber that runs.
inline uint3 threadIdx{}, blockIdx{};
inline dim3 blockDim, gridDim;

namespace gantk::emulator {

inline constexpr unsigned lanes = 32;
inline constexpr std::size_t stack_bytes = 256 * 1024;

struct Copy {
    void* to;
    const void* from;
    unsigned bytes;       // of the destination
    unsigned read_bytes;  // of the source; the rest is zeros
};

inline void perform(const Copy& copy) {
    std::memcpy(copy.to, copy.from, copy.read_bytes);
    std::memset(static_cast<char*>(copy.to) + copy.read_bytes, 0, copy.bytes - copy.read_bytes);
}

// Lanes of one warp that have come to the same operation; the last one performs it for all.
struct Meeting {
    std::string operation;
    unsigned arrived = 0;
    std::uint64_t generation = 0;
    void* slots[lanes] = {};
    std::function<void(void**)> perform;
};

struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[stack_bytes]};
    uint3 thread{};
    unsigned linear = 0;
    bool finished = false;
    const std::uint64_t* waits_for = nullptr;  // runs on when the counter differs from `seen`
    std::uint64_t seen = 0;
    std::vector<Copy> open_copies;
    std::vector<std::vector<Copy>> committed_copies;
};

class Block {
public:
    void launch(dim3 grid, dim3 block, std::size_t dynamic_bytes, const std::function<void()>& kernel) {
        const unsigned threads = block.x * block.y * block.z;
        if (threads == 0 || threads > 1024) throw std::runtime_error("emulator: a block has 1 to 1024 threads");
        if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535)
            throw std::runtime_error("emulator: the grid is empty or larger than 65535 in y or z");
        if (dynamic_bytes > 227 * 1024) throw std::runtime_error("emulator: more dynamic shared memory than any GPU has");
        gridDim = grid;
        blockDim = block;
        kernel_ = kernel;
        fibers_.resize(std::max<std::size_t>(fibers_.size(), threads));
        dynamic_.resize(dynamic_bytes / sizeof(std::max_align_t) * 16 + 1024);
        early_copies_ = setting("GANTK_EMULATOR_COPIES", "late") == "early";
        for (unsigned z = 0; z < grid.z; ++z)
            for (unsigned y = 0; y < grid.y; ++y)
                for (unsigned x = 0; x < grid.x; ++x) {
                    blockIdx = {x, y, z};
                    run(threads);
                }
    }

    Fiber& current() { return *fibers_[current_]; }
    bool early_copies() const { return early_copies_; }
    void* dynamic_shared() {
        auto address = reinterpret_cast<std::uintptr_t>(dynamic_.data());
        return reinterpret_cast<void*>((address + 127) / 128 * 128);
    }
    unsigned lane() { return current().linear % lanes; }

    void synchronise() {
        ++barrier_arrived_;
        const std::uint64_t seen = barrier_generation_;
        if (barrier_arrived_ == live_) {
            release_barrier();
            return;
        }
        wait(barrier_generation_, seen);
    }

    void meet(const char* operation, unsigned mask, void* slot, std::function<void(void**)> perform) {
        const unsigned warp = current().linear / lanes;
        if ((mask >> lane() & 1u) == 0) throw_in_scheduler(std::string(operation) + ": the calling lane is not in its own mask");
        Meeting& meeting = meetings_[{warp, mask}];
        if (meeting.arrived != 0 && meeting.operation != operation)
            throw_in_scheduler("lanes of one warp are at different operations: " + meeting.operation + " and " + operation);
        meeting.operation = operation;
        meeting.perform = std::move(perform);
        meeting.slots[lane()] = slot;
        meeting.arrived |= 1u << lane();
        const std::uint64_t seen = meeting.generation;
        if (complete(warp, mask, meeting)) return;
        wait(meeting.generation, seen);
    }

    unsigned live_lanes() const { return live_lanes_[fibers_[current_]->linear / lanes]; }

private:
    static std::string setting(const char* name, const char* otherwise) {
        const char* value = std::getenv(name);
        return value == nullptr || *value == 0 ? otherwise : value;
    }

    void run(unsigned threads) {
        std::fill(dynamic_.begin(), dynamic_.end(), static_cast<unsigned char>(0xA5));
        meetings_.clear();
        live_lanes_.assign((threads + lanes - 1) / lanes, 0);
        barrier_arrived_ = 0;
        live_ = threads;
        failure_.clear();
        for (unsigned i = 0; i < threads; ++i) {
            if (!fibers_[i]) fibers_[i] = std::make_unique<Fiber>();
            Fiber& fiber = *fibers_[i];
            fiber.linear = i;
            fiber.thread = {i % blockDim.x, i / blockDim.x % blockDim.y, i / blockDim.x / blockDim.y};
            fiber.finished = false;
            fiber.waits_for = nullptr;
            fiber.open_copies.clear();
            fiber.committed_copies.clear();
            live_lanes_[i / lanes] |= 1u << (i % lanes);
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = fiber.stack.get();
            fiber.context.uc_stack.ss_size = stack_bytes;
            fiber.context.uc_link = &scheduler_;
            makecontext(&fiber.context, reinterpret_cast<void (*)()>(&Block::enter), 0);
        }
        const std::vector<unsigned> order = turns(threads);
        while (live_ > 0) {
            const auto next = std::find_if(order.begin(), order.end(), [this](unsigned i) { return ready(*fibers_[i]); });
            if (next == order.end())
                throw std::runtime_error("emulator: deadlock; some threads of a block wait for others that never come");
            Fiber& fiber = *fibers_[*next];
            fiber.waits_for = nullptr;
            current_ = *next;
            threadIdx = fiber.thread;
            swapcontext(&scheduler_, &fiber.context);
            if (!failure_.empty()) throw std::runtime_error("emulator: " + failure_);
            if (fiber.finished) leave(*next);
        }
    }

    static bool ready(const Fiber& fiber) {
        return !fiber.finished && (fiber.waits_for == nullptr || *fiber.waits_for != fiber.seen);
    }

    std::vector<unsigned> turns(unsigned threads) const {
        std::vector<unsigned> order(threads);
        std::iota(order.begin(), order.end(), 0u);
        const std::string wish = setting("GANTK_EMULATOR_ORDER", "forward");
        if (wish == "forward") return order;
        if (wish == "reverse") {
            std::reverse(order.begin(), order.end());
            return order;
        }
        std::mt19937 rng(static_cast<unsigned>(std::stoul(wish)));
        std::shuffle(order.begin(), order.end(), rng);
        return order;
    }

    static void enter();

    void wait(const std::uint64_t& counter, std::uint64_t seen) {
        Fiber& fiber = current();
        fiber.waits_for = &counter;
        fiber.seen = seen;
        swapcontext(&fiber.context, &scheduler_);
    }

    // A fiber must not throw across its own stack's end: it tells the scheduler and never runs again.
    void throw_in_scheduler(const std::string& message) {
        failure_ = message;
        swapcontext(&current().context, &scheduler_);
    }

    void release_barrier() {
        barrier_arrived_ = 0;
        ++barrier_generation_;
    }

    bool complete(unsigned warp, unsigned mask, Meeting& meeting) {
        if (meeting.arrived == 0 || meeting.arrived != (mask & live_lanes_[warp])) return false;
        void* slots[lanes];
        std::copy(std::begin(meeting.slots), std::end(meeting.slots), slots);
        std::fill(std::begin(meeting.slots), std::end(meeting.slots), nullptr);
        meeting.arrived = 0;
        meeting.perform(slots);
        ++meeting.generation;
        return true;
    }

    // As on the hardware, a thread that has ended counts as arrived everywhere.
    void leave(unsigned i) {
        --live_;
        const unsigned warp = i / lanes;
        live_lanes_[warp] &= ~(1u << (i % lanes));
        if (live_ > 0 && barrier_arrived_ == live_) release_barrier();
        for (auto& [key, meeting] : meetings_)
            if (key.first == warp) complete(warp, key.second, meeting);
    }

    std::function<void()> kernel_;
    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<unsigned char> dynamic_;
    std::map<std::pair<unsigned, unsigned>, Meeting> meetings_;
    std::vector<unsigned> live_lanes_;
    std::string failure_;
    std::uint64_t barrier_generation_ = 0;
    unsigned barrier_arrived_ = 0;
    unsigned live_ = 0;
    unsigned current_ = 0;
    bool early_copies_ = false;
    ucontext_t scheduler_{};
};

inline Block& block() {
    static Block one;
    return one;
}

inline void Block::enter() {
    emulator::block().kernel_();
    emulator::block().current().finished = true;
}

// `perform` gets every lane's slot (null where a lane takes no part) and writes the results into them.
template <class Slot, class Perform>
void warp_operation(const char* name, unsigned mask, Slot& slot, Perform perform) {
    block().meet(name, mask, &slot, [perform](void** slots) { perform(reinterpret_cast<Slot**>(slots)); });
}

}  // namespace gantk::emulator
