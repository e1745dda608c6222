//go:build !unix

package child

import "os"

// CanPause says that processes cannot be stopped and continued here. They ignore these.
const CanPause = false

var stopSignal, continueSignal os.Signal = os.Interrupt, os.Interrupt
