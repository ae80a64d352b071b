#!/usr/bin/env bash
# All checks that need a GPU, the most important first, in about ten minutes: bash bench/on_gpu.sh [FOLDER]
#
# Needs x86-64, an NVIDIA GPU, nvcc, and a Python with a CUDA build of torch, into which gantk is built and installed.
# Writes a log of each part, the benchmarks' results and summary.txt into the folder, by default gpu-results.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$(mkdir -p "${1:-gpu-results}" && cd "${1:-gpu-results}" && pwd)
python=${PYTHON:-python3}
export GANTK_RESULTS="$out"
: >"$out/summary.txt"

# part NAME SECONDS COMMAND…: a part that fails or takes too long does not keep the others from running.
part() {
	local name=$1 limit=$2 from=$SECONDS
	shift 2
	timeout "$limit" "$@" >"$out/$name.log" 2>&1
	printf '%-12s exit %s after %d s: %s\n' "$name" $? $((SECONDS - from)) "$(tail -n 1 "$out/$name.log")" |
		tee -a "$out/summary.txt"
}

part machine 20 nvidia-smi
part build 140 env GANTK_NATIVE=1 GANTK_CUDA=1 "$python" -m pip install --no-build-isolation --editable '.[dev]'
part doctor 30 "$python" -m gantk doctor
part check 30 "$python" -m gantk doctor --check
part graphs 150 "$python" -m pytest -q -p no:cacheprovider tests/training/test_graphs_cuda.py
part tests 110 "$python" -m pytest -q -p no:cacheprovider tests/ops/test_knn_cuda.py tests/ops/test_losses_cuda.py tests/test_spread.py
part knn 60 "$python" bench/knn_cuda.py
part training 90 bash -c '
	set -e
	gantk="$0 -m gantk"
	run=$1/run
	rm -rf "$run"
	$gantk build --noise de --loss hidden --set stages.pretrain.length="200 steps" --set stages.game.length="400 steps" \
		--set train.accelerator=cuda -o "$run"
	$gantk train "$run"
	$gantk sample "$run" -n 64 -o "$1/grid.png"
' "$python" "$out"
part mixed 30 bash -c '
	set -e
	run=$1/run-bf16
	rm -rf "$run"
	"$0" -m gantk build --loss wgan-gp --set stages.game.length="100 steps" --set train.accelerator=cuda \
		--set train.precision=bf16-mixed -o "$run"
	"$0" -m gantk train "$run"
' "$python" "$out"
part auto 40 bash -c '
	set -e
	run=$1/run-auto
	rm -rf "$run"
	"$0" -m gantk build dcgan --set stages.game.length="20000 steps" --set train.accelerator=cuda \
		--set train.precision=auto -o "$run"
	"$0" -m gantk train "$run" --time 20s
	cat "$run/precision.json"
' "$python" "$out"
part speed 120 "$python" bench/cuda_graphs.py --rounds 2 --steps 300
cat "$out/summary.txt"
! grep -qv 'exit 0' "$out/summary.txt"
