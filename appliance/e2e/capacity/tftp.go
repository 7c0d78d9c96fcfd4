package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"phonebox/appliance/e2e/capacity/load"
	"phonebox/services/phone"
)

const (
	imageName = "P0S3-8-12-00.sb2"
	smallName = "chime.pcm"
	smallSize = 1200
)

// shelf is a whole load of 8.12 in the sizes of the real one, and a small file.
func shelf() map[string][]byte {
	files := phone.MakeBundle("P0S3-8-12-00", 130_552, 756_120)
	files[smallName] = phone.MakePayload("chime", "chime", smallSize)
	return files
}

// writeTree writes files for the peers to serve.
func writeTree(dir string, files map[string][]byte) error {
	var faults []error
	for name, content := range files {
		faults = append(faults, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	return errors.Join(faults...)
}

// tftp reads an image a hundred times at once, then a small file as often as it goes.
func tftp(ctx context.Context, x *run, r *result) error {
	files := shelf()
	tree, err := os.MkdirTemp("", "phonebox-capacity-tftp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	// dnsmasq and atftpd read as somebody else than root.
	if err := errors.Join(os.Chmod(tree, 0o755), writeTree(tree, files)); err != nil {
		return err
	}
	list := []*contender{
		x.boxContender("phonebox", boxConfig{files: files}), x.peerContender("dnsmasq", tree, dnsmasq(true)), x.peerContender("atftpd", tree, atftpd()),
	}
	r.ran(x.boxLine(boxConfig{}), dnsmasq(true).line(), atftpd().line())
	image := load.DownloadsConfig{File: imageName, Content: files[imageName], Parallel: 100, Total: 500}
	small := load.DownloadsConfig{File: smallName, Content: files[smallName], Parallel: 50, For: 3 * time.Second}
	if x.quick {
		image.Total, small.For = 300, time.Second
	}
	for range x.rounds {
		for _, c := range list {
			if err := x.tftpOf(ctx, r, c, image, small); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	for _, peer := range []string{"dnsmasq", "atftpd"} {
		r.ratio("image, MB/s", "phonebox", peer, true, 1)
		r.ratio("image, server CPU per MB, ms", "phonebox", peer, false, 1)
	}
	r.ratio("small file, reads/s", "phonebox", "dnsmasq", true, 1)
	r.limit("peak memory, MB", "phonebox", 80)
	r.note("The load reads and sends frames in batches; its own CPU is in the table. Server and load share the processors.")
	return nil
}

func (x *run) tftpOf(ctx context.Context, r *result, c *contender, image, small load.DownloadsConfig) error {
	s, err := c.start(ctx, poolSize)
	if err != nil {
		return err
	}
	defer s.stop()
	got, cpu, own, err := x.download(ctx, s, image)
	if err != nil {
		return err
	}
	mb := float64(got.Bytes) / 1e6
	x.logf("tftp: %s %.0f MB/s, %.2f ms CPU per MB, %d done, %d failed", c.name, mb/got.Took.Seconds(), cpu.Seconds()*1000/mb, got.Done, got.Failed)
	r.add(c.name, "image, MB/s", mb/got.Took.Seconds())
	r.add(c.name, "image, server CPU per MB, ms", cpu.Seconds()*1000/mb)
	r.add(c.name, "image, the load's CPU per MB, ms", own.Seconds()*1000/mb)
	if n := len(got.Each); n > 0 {
		r.add(c.name, "image, slowest phone / fastest phone", got.Each[n-1].Seconds()/got.Each[0].Seconds())
	}
	r.add(c.name, "image, repeated blocks and requests", float64(got.Repeated+got.Retransmits))
	if got.Failed+got.Wrong > 0 || got.Done != image.Total {
		r.must(false, "%s: %d of %d images read, %d failed (%s), %d blocks wrong", c.name, got.Done, image.Total, got.Failed, got.Reason, got.Wrong)
	}
	got, cpu, own, err = x.download(ctx, s, small)
	if err != nil {
		return err
	}
	n := float64(max(got.Done, 1))
	x.logf("tftp: %s %.0f small reads/s, %.0f µs CPU each, %d failed", c.name, n/got.Took.Seconds(), float64(cpu.Microseconds())/n, got.Failed)
	r.add(c.name, "small file, reads/s", n/got.Took.Seconds())
	r.add(c.name, "small file, server CPU per read, µs", float64(cpu.Microseconds())/n)
	r.add(c.name, "small file, the load's CPU per read, µs", float64(own.Microseconds())/n)
	r.add(c.name, "peak memory, MB", s.peak())
	if got.Failed+got.Wrong > 0 {
		r.must(false, "%s: %d small files failed (%s), %d blocks wrong", c.name, got.Failed, got.Reason, got.Wrong)
	}
	return s.alive()
}

// download runs downloads and returns what they cost the servers and this program.
func (x *run) download(ctx context.Context, s *set, cfg load.DownloadsConfig) (got load.Downloads, cpu, own time.Duration, err error) {
	w, err := x.lab.wire()
	if err != nil {
		return got, 0, 0, err
	}
	defer w.Close()
	cfg.Server, cfg.ServerMAC = netip.MustParseAddr(serverIP), boxMAC
	cfg.First, cfg.Base = netip.MustParseAddr("10.77.251.1"), load.MAC{0, 6, 0xd7, 0x40, 0, 0}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	s.mark()
	before := ownCPU()
	got, err = load.Download(ctx, w, cfg)
	return got, s.spent(), ownCPU() - before, err
}
