package main

import (
	"crypto/sha256"
	"encoding/binary"
)

// Rendezvous hashing (Thaler and Ravishankar, 1998): each process has a score for each shard, and the one with the
// highest should lead it. Every process computes the same without asking anybody. When one goes, only its shards move,
// and they spread over all the others; when one comes, it takes a few from each.

// score says how well a process suits a shard.
func score(shard, process string) uint64 {
	sum := sha256.Sum256([]byte(shard + "\x00" + process))
	return binary.BigEndian.Uint64(sum[:])
}

// better reports whether process a suits a shard better than b.
func better(shard, a, b string) bool { return score(shard, a) > score(shard, b) }

// rank counts the processes that suit a shard better than this one.
func rank(shard, process string, processes []string) (n int) {
	for _, p := range processes {
		if p != process && better(shard, p, process) {
			n++
		}
	}
	return n
}
