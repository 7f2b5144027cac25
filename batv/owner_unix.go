//go:build unix

package batv

import (
	"io/fs"
	"os"
	"syscall"
)

// giveTo gives f, which is as now says, to the owner of before. The group makes
// no difference to a file that only its owner can read.
func giveTo(f *os.File, before, now fs.FileInfo) error {
	was, ok := before.Sys().(*syscall.Stat_t)
	is, also := now.Sys().(*syscall.Stat_t)
	if !ok || !also || was.Uid == is.Uid {
		return nil
	}
	return f.Chown(int(was.Uid), int(was.Gid))
}
