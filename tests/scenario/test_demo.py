"""The main job, end to end, as `tools/dev run --demo` does it."""

from demo import flow
from devtool.paths import BUILD


def test_a_saved_guest_goes_on_in_another_appliance(rig, appliance_image):
    flow.demonstrate(rig, appliance_image, BUILD / "demo" / rig, print)
