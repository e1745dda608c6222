//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package main

import "os"

// terminalSize says that there is no terminal: plain lines work everywhere.
func terminalSize(*os.File) (width, height int, ok bool) { return 0, 0, false }
