package lock

import "errors"

var (
	// ErrBusy is the answer of TryAcquire when another holds the lock, or stands in line for it.
	ErrBusy = errors.New("lock: busy")
	// ErrNested: the context that was given comes from a [Held] of the same lock, so that waiting
	// would never end. The same lock means the same path with the same client. A wait for a lock
	// that the caller holds with another client is not noticed. See [Config.Reentrant].
	ErrNested = errors.New("lock: the context is that of a holder of this lock, which would wait for itself; see Config.Reentrant")
	// ErrUpgrade: the context that was given comes from a [Held] for reading, and the lock for
	// writing was asked for. The writer would wait for the reader, and the reader for the writer.
	ErrUpgrade = errors.New("lock: a reader cannot become the writer; release it first")

	errDowngrade = errors.New("lock: only what is held for writing of an RW can be downgraded")
)
