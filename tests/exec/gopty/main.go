// gopty: a pseudo terminal as FreeBSD's C library makes one: posix_openpt(2), the master's ioctls of grantpt(3) and
// ptsname(3), and a shell's child on the other side.
package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

const (
	sysPosixOpenpt = 504
	tiocPtMaster   = 0x2000741c
	fioDGName      = 0x80106678
	tiocSWinSz     = 0x80087467
	tiocGetA       = 0x402c7413
	localEcho      = 8
)

func check(good bool, format string, a ...any) {
	if !good {
		fmt.Printf(format+"\n", a...)
		os.Exit(1)
	}
}

func ioctl(fd uintptr, request uintptr, argument unsafe.Pointer) syscall.Errno {
	_, _, err := syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(argument))
	return err
}

// Reads until the text has come.
func until(file *os.File, text string) string {
	all := ""
	buffer := make([]byte, 256)
	for !strings.Contains(all, text) {
		n, err := file.Read(buffer)
		check(err == nil, "shown only %q: %v", all, err)
		all += string(buffer[:n])
	}
	return all
}

func main() {
	fd, _, err := syscall.Syscall(sysPosixOpenpt, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0, 0)
	check(err == 0, "posix_openpt: %v", err)
	master := os.NewFile(fd, "master")
	check(ioctl(fd, tiocPtMaster, nil) == 0, "TIOCPTMASTER of a master")
	check(ioctl(0, tiocPtMaster, nil) != 0, "TIOCPTMASTER of something else")
	name := make([]byte, 64)
	request := struct {
		size    int32
		padding int32
		buffer  *byte
	}{int32(len(name)), 0, &name[0]}
	check(ioctl(fd, fioDGName, unsafe.Pointer(&request)) == 0, "FIODGNAME")
	path := "/dev/" + string(name[:strings.IndexByte(string(name), 0)])
	check(strings.HasPrefix(path, "/dev/pts/"), "the name %q", path)
	request.size = 3
	check(ioctl(fd, fioDGName, unsafe.Pointer(&request)) == syscall.EINVAL, "too short for the name")
	var termios [44]byte
	check(ioctl(fd, tiocGetA, unsafe.Pointer(&termios)) == 0 && termios[12]&localEcho != 0, "settings %v", termios)
	window := [4]uint16{33, 99, 0, 0}
	check(ioctl(fd, tiocSWinSz, unsafe.Pointer(&window)) == 0, "TIOCSWINSZ")
	terminal, failed := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY, 0)
	check(failed == nil, "open: %v", failed)
	fmt.Println("names: ok")

	child, failed := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "stty size; read line; echo got $line; sleep 1000"},
		&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{terminal.Fd(), terminal.Fd(), terminal.Fd()},
			Sys: &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}})
	check(failed == nil, "child: %v", failed)
	terminal.Close()
	until(master, "33 99\r\n")
	master.WriteString("words\n")
	until(master, "got words\r\n")
	master.WriteString("\x03")
	var status syscall.WaitStatus
	_, failed = syscall.Wait4(child, &status, 0, nil)
	check(failed == nil && status.Signaled() && status.Signal() == syscall.SIGINT, "status %v", status)
	fmt.Println("session: ok")
}
