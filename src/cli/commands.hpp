// The add function of every command; each is defined in the cmd_*.cpp of its name.
#pragma once

#include "cli/command.hpp"

namespace liftlock {

// both sides
void add_verify(CLI::App& app, Invocation& invocation);
void add_inspect(CLI::App& app, Invocation& invocation);
void add_init(CLI::App& app, Invocation& invocation);
void add_audit(CLI::App& app, Invocation& invocation);
void add_explain(CLI::App& app, Invocation& invocation);
void add_cell(CLI::App& app, Invocation& invocation);
void add_completion(CLI::App& app, Invocation& invocation);
void add_manual(CLI::App& app, Invocation& invocation);
void add_media(CLI::App& app, Invocation& invocation);
void add_sign(CLI::App& app, Invocation& invocation);
void add_withhold(CLI::App& app, Invocation& invocation);
void add_transfer(CLI::App& app, Invocation& invocation);
void add_trust(CLI::App& app, Invocation& invocation);
void add_trust_add_key(CLI::App& app, Invocation& invocation);
void add_trust_init(CLI::App& app, Invocation& invocation);
void add_trust_keygen(CLI::App& app, Invocation& invocation);
void add_trust_pin(CLI::App& app, Invocation& invocation);
void add_trust_retire(CLI::App& app, Invocation& invocation);
void add_trust_revoke(CLI::App& app, Invocation& invocation);
void add_trust_rotate(CLI::App& app, Invocation& invocation);
void add_trust_show(CLI::App& app, Invocation& invocation);
void add_trust_sign_root(CLI::App& app, Invocation& invocation);
void add_trust_threshold(CLI::App& app, Invocation& invocation);
void add_trust_update(CLI::App& app, Invocation& invocation);
void add_doctor(CLI::App& app, Invocation& invocation);
void add_vendor(CLI::App& app, Invocation& invocation);
void add_doctor_model(CLI::App& app, Invocation& invocation);
void add_doctor_wheelhouse(CLI::App& app, Invocation& invocation);
void add_doctor_cache(CLI::App& app, Invocation& invocation);
void add_offline(CLI::App& app, Invocation& invocation);
void add_egress(CLI::App& app, Invocation& invocation);
void add_checklist(CLI::App& app, Invocation& invocation);
void add_lint(CLI::App& app, Invocation& invocation);
void add_health(CLI::App& app, Invocation& invocation);
void add_health_telemetry(CLI::App& group, Invocation& invocation);
void add_render(CLI::App& app, Invocation& invocation);
void add_render_telemetry(CLI::App& group, Invocation& invocation);
void add_render_dockerfile(CLI::App& group, Invocation& invocation);
void add_store_ls(CLI::App& app, Invocation& invocation);
void add_store_show(CLI::App& app, Invocation& invocation);
void add_store_export(CLI::App& app, Invocation& invocation);
void add_store_gc(CLI::App& app, Invocation& invocation);
void add_store_scrub(CLI::App& app, Invocation& invocation);
void add_ollama(CLI::App& app, Invocation& invocation);

// what only one side has below a group of both; defined on each side
void add_health_of_side(CLI::App& group, Invocation& invocation);
void add_render_of_side(CLI::App& group, Invocation& invocation);

// both sides, each its own
void add_acknowledge(CLI::App& app, Invocation& invocation);
void add_status(CLI::App& app, Invocation& invocation);

// low side
void add_abandon(CLI::App& app, Invocation& invocation);
void add_pack(CLI::App& app, Invocation& invocation);
void add_lock(CLI::App& app, Invocation& invocation);
void add_fetch(CLI::App& app, Invocation& invocation);
void add_check(CLI::App& app, Invocation& invocation);
void add_report(CLI::App& app, Invocation& invocation);
void add_diff(CLI::App& app, Invocation& invocation);

// high side
void add_ingest(CLI::App& app, Invocation& invocation);
void add_receipt(CLI::App& app, Invocation& invocation);
void add_retire(CLI::App& app, Invocation& invocation);
void add_settle(CLI::App& app, Invocation& invocation);
void add_request(CLI::App& app, Invocation& invocation);
void add_engine(CLI::App& app, Invocation& invocation);
void add_engine_default(CLI::App& app, Invocation& invocation);
void add_engine_install(CLI::App& app, Invocation& invocation);
void add_engine_remove(CLI::App& app, Invocation& invocation);
void add_engine_rollback(CLI::App& app, Invocation& invocation);
void add_engine_run(CLI::App& app, Invocation& invocation);
void add_engine_try(CLI::App& app, Invocation& invocation);
void add_translate(CLI::App& app, Invocation& invocation);
void add_embed(CLI::App& app, Invocation& invocation);
void add_transcribe(CLI::App& app, Invocation& invocation);
void add_ask(CLI::App& app, Invocation& invocation);
void add_key(CLI::App& app, Invocation& invocation);
void add_run(CLI::App& app, Invocation& invocation);
void add_model(CLI::App& app, Invocation& invocation);
void add_model_countersign(CLI::App& group, Invocation& invocation);
void add_model_fit(CLI::App& group, Invocation& invocation);
void add_model_load(CLI::App& group, Invocation& invocation);
void add_model_rm(CLI::App& group, Invocation& invocation);
void add_model_rollback(CLI::App& group, Invocation& invocation);
void add_model_show(CLI::App& group, Invocation& invocation);
void add_model_swap(CLI::App& group, Invocation& invocation);
void add_model_unload(CLI::App& group, Invocation& invocation);
void add_chain(CLI::App& app, Invocation& invocation);
void add_gate(CLI::App& app, Invocation& invocation);
void add_health_services(CLI::App& group, Invocation& invocation);
void add_render_clients(CLI::App& group, Invocation& invocation);
void add_inventory(CLI::App& app, Invocation& invocation);
void add_ps(CLI::App& app, Invocation& invocation);
void add_top(CLI::App& app, Invocation& invocation);
void add_ring(CLI::App& app, Invocation& invocation);
void add_push(CLI::App& app, Invocation& invocation);
void add_store(CLI::App& app, Invocation& invocation);
void add_serve(CLI::App& app, Invocation& invocation);
void add_record(CLI::App& app, Invocation& invocation);

}  // namespace liftlock
