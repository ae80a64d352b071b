// A parallel loop without OpenMP: torch has its own OpenMP runtime, and a second one in the same process competes with it
// for the cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace gantk {

// Calls fn(task, thread) once for each task in [0, tasks), on at most `threads` threads; the caller's is number 0. Threads
// take tasks in ascending order as they finish, so put long tasks first. Returns when all are done. The first exception of
// a task is rethrown after all threads have joined; tasks that have not started by then are skipped. If the system cannot
// start more threads, fewer do the work.
template <typename Fn>
void parallel_for(int threads, std::int64_t tasks, Fn&& fn) {
    const int wanted = static_cast<int>(std::min<std::int64_t>(std::max(threads, 1), tasks));
    if (wanted <= 1) {
        for (std::int64_t task = 0; task < tasks; ++task) {
            fn(task, 0);
        }
        return;
    }

    std::atomic<std::int64_t> next{0};
    std::atomic<bool> failed{false};
    std::exception_ptr first_failure;
    std::mutex failure_guard;

    const auto work = [&](int thread) noexcept {
        while (!failed.load(std::memory_order_relaxed)) {
            const std::int64_t task = next.fetch_add(1, std::memory_order_relaxed);
            if (task >= tasks) {
                return;
            }
            try {
                fn(task, thread);
            } catch (...) {
                const std::lock_guard<std::mutex> lock(failure_guard);
                if (!first_failure) {
                    first_failure = std::current_exception();
                }
                failed.store(true, std::memory_order_relaxed);
            }
        }
    };

    std::vector<std::thread> helpers;
    helpers.reserve(static_cast<std::size_t>(wanted - 1));
    for (int thread = 1; thread < wanted; ++thread) {
        try {
            helpers.emplace_back(work, thread);
        } catch (const std::system_error&) {
            break;  // the threads that did start do all of the work
        }
    }
    work(0);
    for (std::thread& helper : helpers) {
        helper.join();
    }
    if (first_failure) {
        std::rethrow_exception(first_failure);
    }
}

}  // namespace gantk
