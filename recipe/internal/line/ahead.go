package line

import "slices"

// A writer waits for all who are ahead, a reader for the writers. Places without readers in their
// line are writers.
//
// The line consists of blocks: a writer is a block, and so are the readers between two writers. All
// of a block can hold at the same time, when the blocks before it have gone. So the number of
// blocks ahead, the depth, decides who listens to whom. The number of places ahead does not matter.

// conflicting returns those of the names ahead that a place has to wait for.
func conflicting(ahead []Name, shared bool) []Name {
	if !shared {
		return ahead
	}
	var writers []Name
	readers := false
	for _, n := range ahead {
		if n.Shared {
			readers = true
			continue
		}
		n.afterReaders = readers
		writers, readers = append(writers, n), false
	}
	return writers
}

// depth returns how many blocks are ahead, at most. Places that may have gone without our knowledge
// count.
func depth(ahead []Name) (blocks int) {
	for i, n := range ahead {
		if !n.Shared || i == 0 || !ahead[i-1].Shared {
			blocks++
		}
		if n.afterReaders {
			blocks++
		}
	}
	return blocks
}

// mayBeHeard reports whether somebody may listen to the session of a place with these ahead. Then
// the session has to beat. Others listen to a place that they take for the first or second in the
// line. A reader does not know which readers before the writers ahead have gone, so it takes them
// all for gone.
func mayBeHeard(ahead []Name, shared bool) bool {
	if shared {
		return len(ahead) < listenTo
	}
	return depth(ahead) < listenTo
}

// lastWriter returns where the last writer of a list is, or -1.
func lastWriter(ahead []Name) int {
	for i := len(ahead) - 1; i >= 0; i-- {
		if !ahead[i].Shared {
			return i
		}
	}
	return -1
}

// readers returns the numbers of the readers among these.
func readers(names []Name) (numbers []int64) {
	for _, n := range names {
		if x := number(n); n.Shared && x != noNumber {
			numbers = append(numbers, x)
		}
	}
	slices.Sort(numbers)
	return numbers
}
