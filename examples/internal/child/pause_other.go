//go:build !unix

package child

// CanPause says that processes cannot be stopped and continued here.
const CanPause = false

// Pause does nothing here.
func (c *Child) Pause() {}

// Resume does nothing here.
func (c *Child) Resume() {}
