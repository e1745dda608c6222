//go:build zkrecipe_noise

package zktest

import (
	"math/rand/v2"
	"runtime"
)

// noise lets other goroutines go on for a while, at random. It is called whenever somebody outside
// has asked something of the servers: a client that reads or writes, or a test that sets a fault. A
// test that is right only if it comes before a client, or after it, then fails often, and not once
// in hundreds of runs.
func noise() {
	if rand.IntN(3) == 0 {
		for range rand.IntN(200) {
			runtime.Gosched()
		}
	}
}
