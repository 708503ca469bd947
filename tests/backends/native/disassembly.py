"""What instructions an object is made of, and what it calls: binutils' word, not ours."""

import re
import subprocess

from tests.backends.native.emulated import call, processor_for, tool

ARCHITECTURES = {
    "sse2": "generic64",
    "avx2 without fma": "generic64+avx2",
    "avx2": "generic64+avx2+fma",
    "aarch64": "armv8-a",
}
"""As the GNU assembler names them: it refuses an instruction that the named one has not."""

# Where these lead the assembler cannot know.
_JUMP = re.compile(r"(?:j\w+|call|b|bl|b\.\w+|cbn?z|tbn?z|adrp?)\s")


def refused(code, name, folder):
    """What the assembler says against an object's instructions; the functions it lacks."""
    binutils = processor_for(name).binutils
    made, text = folder / "code.o", folder / "code.s"
    made.write_bytes(code)
    shown = call(tool(f"{binutils}objdump"), "-d", "--no-show-raw-insn", made).decode()
    remark = r"\s*(?://|<)" if name == "aarch64" else r"\s*[#<]"
    instructions = [
        re.split(remark, line.partition(":\t")[2])[0]
        for line in shown.splitlines()
        if ":\t" in line
    ]
    assert instructions, "an object without code"
    text.write_text("".join(f"{each}\n" for each in instructions if not _JUMP.match(each)))
    again = [f"{binutils}as", f"-march={ARCHITECTURES[name]}", text, "-o", folder / "again.o"]
    said = subprocess.run([tool(again[0]), *again[1:]], capture_output=True, check=False).stderr
    errors = re.findall(r"Error: (.*)", said.decode())
    undefined = call(tool(f"{binutils}nm"), "--undefined-only", made).decode().splitlines()
    return sorted(set(errors)), [line.split()[-1] for line in undefined]
