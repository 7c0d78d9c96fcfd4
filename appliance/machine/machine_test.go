package machine_test

import (
	"os"
	"path/filepath"
	"testing"

	"phonebox/appliance/machine"
)

func root(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFactsOfARaspberryPi(t *testing.T) {
	dir := root(t, map[string]string{
		"proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\x00", "proc/loadavg": "0.25 0.1 0.0 1/100 5\n", "proc/uptime": "3600.5 100\n",
		"proc/meminfo": "MemTotal:  1000 kB\nMemFree: 1 kB\nMemAvailable:   400 kB\n", "proc/self/status": "Name: x\nVmRSS:\t  30 kB\n",
		"sys/class/thermal/thermal_zone0/type": "cpu-thermal\n", "sys/class/thermal/thermal_zone0/temp": "61234\n",
		"sys/class/thermal/thermal_zone1/type": "nvme\n", "sys/class/thermal/thermal_zone1/temp": "90000\n",
		"sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
	})
	f := machine.Reader{Root: dir, Data: dir}.Read()
	if f.Board != "Raspberry Pi 4 Model B Rev 1.4" || f.Load != 0.25 || f.Uptime.Seconds() != 3600.5 || f.Heat != 61.234 {
		t.Errorf("got %+v", f)
	}
	if f.Memory != (machine.Memory{Total: 1000 << 10, Free: 400 << 10, Resident: 30 << 10}) {
		t.Errorf("memory: %+v", f.Memory)
	}
	if f.Supply == nil || *f.Supply != (machine.Supply{UnderVoltage: true, Throttled: true, WasUnderVoltage: true, WasThrottled: true}) {
		t.Errorf("supply: %+v, want under-voltage and throttled, now and before", f.Supply)
	}
	if !f.Disk.Known || f.Disk.Total <= 0 || f.Disk.ReadOnly || f.Kernel == "" || f.Go == "" {
		t.Errorf("got %+v", f)
	}
}

func TestFactsOfAComputerThatTellsNothing(t *testing.T) {
	f := machine.Reader{Root: t.TempDir(), Data: "/does/not/exist"}.Read()
	if f.Board != "" || f.Heat != 0 || f.Supply != nil || f.Disk.Known || f.Memory.Total != 0 {
		t.Errorf("got %+v, want nothing but the kernel and Go", f)
	}
	f = machine.Reader{Root: root(t, map[string]string{"sys/class/hwmon/hwmon3/name": "rpi_volt", "sys/class/hwmon/hwmon3/in0_lcrit_alarm": "1"})}.Read()
	if f.Supply == nil || !f.Supply.UnderVoltage {
		t.Errorf("supply: %+v, want the alarm of the voltage", f.Supply)
	}
}

// The kernel's files are bytes from outside as well.
func FuzzFacts(f *testing.F) {
	f.Add("50005", "MemTotal:  1000 kB", "61234")
	f.Fuzz(func(t *testing.T, throttled, memory, heat string) {
		dir := root(t, map[string]string{
			"sys/devices/platform/soc/soc:firmware/get_throttled": throttled, "proc/meminfo": memory,
			"sys/class/thermal/thermal_zone0/temp": heat,
		})
		if got := (machine.Reader{Root: dir}).Read(); got.Heat < 0 || got.Heat > 200 {
			t.Errorf("the heat is %v", got.Heat)
		}
	})
}
