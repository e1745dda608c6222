//go:build linux

package campaign

import (
	"slices"
	"testing"

	"github.com/zkrecipe/zkrecipe/internal/history"
)

// A session that the ensemble ends early, and a znode that an administrator deletes, show whether
// the next one waits for the lease.
func TestWhoDoesNotWaitForTheLeaseIsCaught(t *testing.T) {
	for fault, program := range map[string]string{
		"^7c": "candidate", "^8a": "contender", "^8i": "contender",
	} {
		t.Run(fault, func(t *testing.T) {
			isCaught(t, "testdata/waits-for-no-lease.txt", history.Overlap, program, "-rounds", "3", "-faults", fault, "-lease", "1s")
		})
	}
}

// A session that the servers take for alive although it has expired shows whether a lease rests on
// when sessions expire.
func TestALeaseThatRestsOnExpiryIsCaught(t *testing.T) {
	for _, fault := range []string{"^7a", "^7b"} {
		t.Run(fault, func(t *testing.T) {
			isCaught(t, "../sim/testdata/variants/rests-on-expiry.txt", history.Overlap, "candidate", "-rounds", "3", "-faults", fault)
		})
	}
}

// Permits that have slots are never too many: each slot has one holder. Without slots only the rank
// decides.
func TestWhoAdmitsAnyRankIsCaught(t *testing.T) {
	isCaught(t, "testdata/admits-any-rank.txt", history.Overlap, "contender", "-rounds", "3", "-faults", "^8c")
}

// When one lock of a set is lost, the next in its line gets it. So the set must be over then.
func TestASetThatOutlivesOneOfItsLocksIsCaught(t *testing.T) {
	isCaught(t, "testdata/set-outlives-a-lock.txt", history.Overlap, "contender", "-rounds", "3", "-faults", "^8j")
}

// What has become a reader keeps writers away as before.
func TestAWriterThatForgetsTheReaderAheadIsCaught(t *testing.T) {
	isCaught(t, "testdata/forgets-the-reader.txt", history.Overlap, "contender", "-rounds", "6", "-faults", "^8l", "-lease", "1s")
}

// A reader that joins other readers has passed the writer that waits for them. Later that writer
// holds beside the reader, because it does not know of it. This test demands that the first of
// these two violations is found.
func TestWhoOvertakesAWriterIsCaught(t *testing.T) {
	isCaught(t, "testdata/readers-join-readers.txt", history.Order, "contender", "-rounds", "3", "-faults", "^8b")
}

// A holder that is cut off between its read and its write writes when all is mended, long after
// others have written.
func TestWhoWritesWithoutTheGuardIsCaught(t *testing.T) {
	isCaught(t, "testdata/writes-without-the-guard.txt", history.LostUpdate, "contender", "-rounds", "3", "-faults", "^8a")
}

func TestStaleSessionsAreToldByTheirIDs(t *testing.T) {
	const dump = "SessionTracker dump:\nSession Sets (2)/(3):\n0 expire at Fri Nov 27 05:32:54 UTC 2026:\n" +
		"3 expire at Fri Nov 27 05:32:55 UTC 2026:\n\t0x100\n\t0x200\n\t0x300\n" +
		"ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x400:\n\t/6/a\nConnections dump:\n\t0x500\n"
	if got, want := stale(dump, []string{"0x100", "0x300"}), []string{"0x200"}; !slices.Equal(got, want) {
		t.Errorf("stale: %q, want %q", got, want)
	}
}
