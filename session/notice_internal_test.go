package session

import "testing"

// If there is a watch on a whole tree, a watch on a notice may be removed. Other watches in the
// tree may not.
func TestANoticeIsToldByItsName(t *testing.T) {
	s := &Session{common: &common{chroot: "/tenant", cfg: Config{Beats: "/app"}}}
	for path, want := range map[string]bool{
		"/tenant" + s.noticePath("/jobs/_c_guid-lock-0000000001"): true,
		"/tenant/app/7":                           false, // a heartbeat
		"/tenant/app/x-1":                         false,
		"/tenant/app/jobs/x-0123456789abcdef":     false,
		"/tenant/app/x-0123456789abcdef/children": false,
		"/tenant/jobs/x-0123456789abcdef":         false,
		"/app/x-0123456789abcdef":                 false,
	} {
		if got := s.isNotice(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
