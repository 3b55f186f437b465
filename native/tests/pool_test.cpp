// The thread pool by itself: every task once, results in place, exceptions home.
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "runtime/pool.hpp"

using f2i::ThreadPool;

TEST(every_task_runs_once) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK_EQUAL(pool.threads(), threads);
    for (int64_t tasks : {0, 1, 2, 7, 64, 1000}) {
      std::vector<std::atomic<int>> ran(static_cast<size_t>(tasks));
      std::atomic<bool> bad_worker{false};
      pool.parallel_for(tasks, [&](int64_t task, int worker) {
        ran[static_cast<size_t>(task)].fetch_add(1);
        if (worker < 0 || worker >= threads) bad_worker = true;
      });
      for (auto &count : ran) CHECK_EQUAL(count.load(), 1);
      CHECK(!bad_worker);
    }
  }
}

// Short regions in close succession: late workers must not claim tasks of the
// next one, nor see its fields half-written.
TEST(regions_do_not_mix) {
  ThreadPool pool(4);
  std::vector<int64_t> sums(16);
  for (int64_t round = 0; round < 20000; ++round) {
    const int64_t tasks = 2 + round % 15;
    std::vector<int64_t> values(static_cast<size_t>(tasks), -1); // plain memory: TSan watches it
    pool.parallel_for(tasks, [&](int64_t task, int) { values[static_cast<size_t>(task)] = round * task; });
    for (int64_t i = 0; i < tasks; ++i) {
      if (values[static_cast<size_t>(i)] != round * i) return CHECK_EQUAL(values[static_cast<size_t>(i)], round * i);
    }
  }
}

TEST(works_after_sleep) {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1)); // workers fall asleep
    std::atomic<int> count{0};
    pool.parallel_for(8, [&](int64_t, int) {
      std::this_thread::sleep_for(std::chrono::microseconds(100));
      count.fetch_add(1);
    });
    CHECK_EQUAL(count.load(), 8);
  }
}

TEST(all_workers_take_part) {
  ThreadPool pool(3);
  std::atomic<int> inside{0};
  pool.parallel_for(3, [&](int64_t, int) {
    inside.fetch_add(1);
    while (inside.load() < 3) std::this_thread::yield(); // hangs unless three run at once
  });
  CHECK_EQUAL(inside.load(), 3);
}

TEST(an_exception_comes_home) {
  ThreadPool pool(3);
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> count{0};
    bool caught = false;
    try {
      pool.parallel_for(10, [&](int64_t task, int) {
        count.fetch_add(1);
        if (task == round % 10) throw std::runtime_error("boom");
      });
    } catch (const std::runtime_error &) {
      caught = true;
    }
    CHECK(caught);
    CHECK_EQUAL(count.load(), 10);
  }
  std::atomic<int> count{0};
  pool.parallel_for(5, [&](int64_t, int) { count.fetch_add(1); });
  CHECK_EQUAL(count.load(), 5);
}

TEST(pools_start_and_stop) {
  for (int round = 0; round < 200; ++round) {
    ThreadPool pool(1 + round % 4);
    if (round % 3 == 0) pool.parallel_for(4, [](int64_t, int) {});
  }
}

CHECK_MAIN();
