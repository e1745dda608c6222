package example

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestNobodyWaitsForAPipeThatIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, pipe := io.Pipe() // it has no room at all
		w, begun := NewWriter(pipe), time.Now()
		for range 2 * maxWrites {
			if n, err := w.Write([]byte("a line\n")); n != 7 || err != nil {
				t.Fatalf("Write returns %d, %v", n, err)
			}
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("the writes took %v", took)
		}
		w.Finish()
		if took := time.Since(begun); took != lastWrites {
			t.Errorf("the end took %v; want %v", took, lastWrites)
		}
		r.Close() // ends the goroutine that writes
	})
}

func TestWhatIsReadArrivesInOrder(t *testing.T) {
	var got strings.Builder
	w := NewWriter(&got)
	line := []byte("0\n")
	for i := range 10 {
		line[0] = byte('0' + i) // the caller may use its buffer again
		w.Write(line)
	}
	w.Finish()
	if want := "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"; got.String() != want {
		t.Errorf("got %q", got.String())
	}
}
