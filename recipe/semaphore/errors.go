package semaphore

import (
	"errors"
	"fmt"
)

// ErrBusy is the error of TryAcquire when no permit is free, or somebody waits for one.
var ErrBusy = errors.New("semaphore: no permit is free")

// errNoSlots: somebody has written the record by hand. It does not tell who holds slots.
var errNoSlots = errors.New("the line \"slots\" is missing, and only a new path begins without holders of slots: delete the path when nobody uses it")

// SizeError: the path holds another size than the one that was asked for, or has too few permits
// for what was asked for, or more than can have slots.
type SizeError struct {
	// Path is the semaphore's.
	Path string
	// Size is how many permits it has: what its path holds; 0 if that holds none.
	Size int
	// Want is the size that New was given, or how many permits AcquireN was asked for, or how many
	// can have slots.
	Want int

	permits bool // Want is that of AcquireN
	slots   bool // Want is how many can have slots
}

// Error names both.
func (e *SizeError) Error() string {
	has := fmt.Sprintf("semaphore: %s has %d permits", e.Path, e.Size)
	if e.Size == 1 {
		has = fmt.Sprintf("semaphore: %s has 1 permit", e.Path)
	}
	switch {
	case e.Size == 0:
		return fmt.Sprintf("semaphore: %s has no size yet: New needs one", e.Path)
	case e.slots:
		return fmt.Sprintf("%s, and with Config.Slots it may have at most %d: resize it", has, e.Want)
	case e.permits:
		return fmt.Sprintf("%s, and %d were asked for", has, e.Want)
	}
	return fmt.Sprintf("%s, but New was given a size of %d", has, e.Want)
}

// roomError: the session has no room for the znodes of n permits.
type roomError struct {
	n   int
	err error
}

func (e *roomError) Error() string {
	return fmt.Sprintf("semaphore: %d permits at once need as many ephemeral znodes in one session, and it has no room for them: %v", e.n, e.err)
}

func (e *roomError) Unwrap() error { return e.err }

// DataError: a znode of the semaphore holds data that this library has not written. No permit is
// admitted until the znode is empty, or holds valid data. Permits that are held are not touched. If
// permits have slots, the only repair is to delete the path when nobody uses it: perhaps earlier
// data of the path do not tell of all who hold slots.
type DataError struct {
	// Path is the znode's.
	Path string
	// Err is what is wrong with its data.
	Err error
}

// Error says what is wrong with which znode.
func (e *DataError) Error() string {
	return fmt.Sprintf("semaphore: the data of %s are not ours: %v", e.Path, e.Err)
}

// Unwrap returns what is wrong with the data.
func (e *DataError) Unwrap() error { return e.Err }
