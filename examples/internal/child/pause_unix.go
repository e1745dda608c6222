//go:build unix

package child

import "syscall"

// CanPause says that processes can be stopped and continued here.
const CanPause = true

const stopSignal, continueSignal = syscall.SIGSTOP, syscall.SIGCONT
