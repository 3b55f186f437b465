#!/usr/bin/env bash
# Builds and runs the native tests: as released (with the CUDA kernels on the
# processor), under AddressSanitizer and UndefinedBehaviorSanitizer, and (queue,
# pool and every op on several threads) under ThreadSanitizer; and builds the
# library of CUDA kernels, where nvcc is found. A variant that has not changed since it last passed is
# not run again; F2I_TEST_ALWAYS=1 runs it. F2I_WERROR=ON makes warnings errors.
#
# bash test.sh [release] [asan] [tsan] [cuda]      default: all
set -euo pipefail
cd "$(dirname "$0")"

generator=()
command -v ninja >/dev/null && generator=(-G Ninja)
jobs=$(nproc)

# quiet LABEL COMMAND...: shows the output only when the command fails.
quiet() {
  local label=$1 log
  shift
  log=$(mktemp)
  if ! "$@" >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    echo "native: $label failed" >&2
    exit 1
  fi
  rm -f "$log"
}

# sanitized NAME TARGETS TESTS OPTIONS...
sanitized() {
  local name=$1 targets=$2 tests=$3 folder=build/$1 started=$SECONDS
  shift 3
  [[ -f $folder/CMakeCache.txt ]] || quiet "$name: configure" cmake -S . -B "$folder" "${generator[@]}" "$@"
  # shellcheck disable=SC2086
  quiet "$name: build" cmake --build "$folder" --parallel "$jobs" --target $targets
  run_tests "$name" "$tests" "$started"
}

# run_tests NAME TESTS STARTED
run_tests() {
  local name=$1 tests=$2 started=$3 folder=build/$1
  if [[ -f $folder/.passed && -z ${F2I_TEST_ALWAYS:-} ]] &&
    [[ -z $(find "$folder" tests -newer "$folder/.passed" -type f \
      \( -perm -u+x -o -name '*.cmake' -o -path 'tests/replay/*.script' -o -path 'tests/replay/*.data' \) -print -quit) ]]; then
    echo "native $name: unchanged since it last passed"
    passed=$((passed + $(<"$folder/.passed")))
    return
  fi
  rm -f "$folder/.passed"
  local summary built=$((SECONDS - started))
  quiet "$name: tests" ctest --test-dir "$folder" --output-on-failure --parallel 2 --tests-regex "$tests"
  summary=$(ctest --test-dir "$folder" --show-only --tests-regex "$tests" | sed -n 's/^Total Tests: //p')
  echo "$summary" >"$folder/.passed"
  passed=$((passed + summary))
  echo "native $name: $summary tests passed in $((SECONDS - started)) s, $built s of them building"
}

# The library that users of a GPU have: it needs no other library of CUDA, and opens.
cuda_library() {
  local nvcc started=$SECONDS library=$PWD/build/cuda/libf2i_cuda.so
  nvcc=$(PATH=$PATH:${CUDA_HOME:-/usr/local/cuda}/bin:/usr/local/cuda/bin:/usr/local/cuda-13.0/bin command -v nvcc || true)
  if [[ -z $nvcc ]]; then
    echo "native cuda: skipped, there is no nvcc here"
    skipped=$((skipped + 1))
    return
  fi
  quiet "cuda: build" bash cuda.sh
  quiet "cuda: build of its test" bash release.sh cuda_library_test
  if ldd "$library" | grep -E 'libcud|libcublas|libnv'; then
    echo "native: $library needs libraries of the toolkit" >&2
    exit 1
  fi
  F2I_CUDA_LIBRARY=$library build/release/tests/cuda/cuda_library_test
  passed=$((passed + 1))
  echo "native cuda: the library was built and opened in $((SECONDS - started)) s"
}

export ASAN_OPTIONS=detect_stack_use_after_return=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1

passed=0
skipped=0
for wanted in ${@:-release asan tsan cuda}; do
  case $wanted in
    release)
      started=$SECONDS
      quiet "release: build" bash release.sh all
      run_tests release . "$started"
      ;;
    asan) sanitized asan all . -DF2I_SANITIZE=address,undefined -DF2I_BUILD_TOOLS=OFF ;;
    tsan)
      sanitized tsan "pool_test memory_test runtime_test race_test" '^(pool|memory|runtime|race)_test$' \
        -DF2I_SANITIZE=thread -DF2I_BUILD_SHARED=OFF -DF2I_BUILD_TOOLS=OFF
      ;;
    cuda) cuda_library ;;
    *)
      echo "usage: bash test.sh [release] [asan] [tsan] [cuda]" >&2
      exit 2
      ;;
  esac
done

# The counts that the root "npm test" adds up, in the form of the other packages' reports.
results=../.f2i/test-results
if [[ -d $results ]]; then
  printf '{"numPassedTests":%d,"numFailedTests":0,"numPendingTests":%d}\n' "$passed" "$skipped" >"$results/native.json"
fi
