package election

import "errors"

var (
	// ErrStop, returned by the callback of [Election.Run], alone or wrapped, ends Run: the
	// candidate resigns and leaves, and Run returns nil, or the error that wraps ErrStop.
	ErrStop = errors.New("election: stop")
	// ErrRunning: the Election is running or campaigning already. Each candidate is an Election of
	// its own.
	ErrRunning = errors.New("election: this candidate is running already, or its last term has not been released")
	// ErrGoexit: the callback ended its goroutine with runtime.Goexit, as t.FailNow does.
	ErrGoexit = errors.New("election: the callback called runtime.Goexit")
)
