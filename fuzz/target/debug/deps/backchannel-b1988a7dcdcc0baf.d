/work/main/fuzz/target/debug/deps/backchannel-b1988a7dcdcc0baf.d: /work/main/clippy.toml lib.rs ../src/edit/mod.rs ../src/edit/crontab.rs ../src/edit/json/mod.rs ../src/edit/json/document.rs ../src/edit/json/layout.rs ../src/edit/json/ours.rs ../src/edit/json/spelling.rs ../src/edit/lines.rs ../src/edit/markdown.rs ../src/edit/marked.rs ../src/edit/place.rs ../src/edit/toml/mod.rs ../src/edit/toml/cut.rs ../src/edit/toml/value.rs ../src/shell.rs Cargo.toml

/work/main/fuzz/target/debug/deps/libbackchannel-b1988a7dcdcc0baf.rmeta: /work/main/clippy.toml lib.rs ../src/edit/mod.rs ../src/edit/crontab.rs ../src/edit/json/mod.rs ../src/edit/json/document.rs ../src/edit/json/layout.rs ../src/edit/json/ours.rs ../src/edit/json/spelling.rs ../src/edit/lines.rs ../src/edit/markdown.rs ../src/edit/marked.rs ../src/edit/place.rs ../src/edit/toml/mod.rs ../src/edit/toml/cut.rs ../src/edit/toml/value.rs ../src/shell.rs Cargo.toml

/work/main/clippy.toml:
lib.rs:
../src/edit/mod.rs:
../src/edit/crontab.rs:
../src/edit/json/mod.rs:
../src/edit/json/document.rs:
../src/edit/json/layout.rs:
../src/edit/json/ours.rs:
../src/edit/json/spelling.rs:
../src/edit/lines.rs:
../src/edit/markdown.rs:
../src/edit/marked.rs:
../src/edit/place.rs:
../src/edit/toml/mod.rs:
../src/edit/toml/cut.rs:
../src/edit/toml/value.rs:
../src/shell.rs:
Cargo.toml:

# env-dep:CLIPPY_ARGS=
# env-dep:CLIPPY_CONF_DIR
